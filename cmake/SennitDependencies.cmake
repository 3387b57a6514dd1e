# Libraries, each as a target. Debian's packages, and what `make deps` built (third_party/).
find_program(CCACHE ccache)
if(CCACHE)
  # Paths relative to the checkout: clones and build directories share what they compile.
  set(SENNIT_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
                      ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${SENNIT_LAUNCHER})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${SENNIT_LAUNCHER})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

add_compile_options(-Wall -Wextra -Werror=return-type -Wno-missing-field-initializers
                    -ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(SENNIT_SANITIZE)
  add_compile_options(-fsanitize=${SENNIT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SENNIT_SANITIZE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(Protobuf REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
foreach(library IN ITEMS libnghttp2 libfyaml re2 libcares grpc++ openssl
                      cpp-httplib)
  string(MAKE_C_IDENTIFIER ${library} id)
  pkg_check_modules(${id} REQUIRED IMPORTED_TARGET ${library})
endforeach()

if(NOT EXISTS ${SENNIT_DEPS}/lib/libsennit_protos.a)
  message(FATAL_ERROR "${SENNIT_DEPS} is missing: run `make deps` first")
endif()

# The xDS protos (and Istio's own filters' and certificate service's).
add_library(sennit_protos STATIC IMPORTED)
set_target_properties(sennit_protos PROPERTIES
  IMPORTED_LOCATION ${SENNIT_DEPS}/lib/libsennit_protos.a
  INTERFACE_SYSTEM_INCLUDE_DIRECTORIES ${SENNIT_DEPS}/include
  INTERFACE_INCLUDE_DIRECTORIES ${SENNIT_DEPS}/include)
target_link_libraries(sennit_protos INTERFACE protobuf::libprotobuf Threads::Threads)
add_library(sennit_protos_grpc STATIC IMPORTED)
set_target_properties(sennit_protos_grpc PROPERTIES
  IMPORTED_LOCATION ${SENNIT_DEPS}/lib/libsennit_protos_grpc.a)
target_link_libraries(sennit_protos_grpc INTERFACE sennit_protos PkgConfig::grpc__)

# AWS-LC: the proxy's TLS. Never in one program with grpc++, which brings OpenSSL.
add_library(awslc INTERFACE)
target_include_directories(awslc SYSTEM BEFORE INTERFACE ${SENNIT_DEPS}/include-aws-lc)
target_link_libraries(awslc INTERFACE ${SENNIT_DEPS}/lib/aws-lc/libssl.a ${SENNIT_DEPS}/lib/aws-lc/libcrypto.a
                                      Threads::Threads)

if(SENNIT_TESTS)
  enable_testing()
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()
