# A room is a folder of src/ with one concern: one static library of its sources, and one test
# program of its *_test.cc (those of its subfolders too, unless a subfolder is a room of its own,
# named under NOT).
#
#   sennit_room(http FOLDER http DEPENDS sennit::net nghttp2 [NOT folder-or-file...])
function(sennit_room name)
  cmake_parse_arguments(room "" "FOLDER" "DEPENDS;TEST_DEPENDS;NOT" ${ARGN})
  set(folder ${CMAKE_CURRENT_SOURCE_DIR}/${room_FOLDER})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${folder}/*.cc)
  foreach(other IN LISTS room_NOT)
    list(FILTER sources EXCLUDE REGEX "${folder}/${other}(/|$)")
  endforeach()
  set(tests ${sources})
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  list(FILTER sources EXCLUDE REGEX "(_test|_fuzz|/main|/test_[a-z0-9_]*)\\.cc$")

  if(sources)
    add_library(sennit_${name} STATIC ${sources})
    target_include_directories(sennit_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sennit_${name} PUBLIC ${room_DEPENDS})
  else()
    add_library(sennit_${name} INTERFACE)
    target_include_directories(sennit_${name} INTERFACE ${CMAKE_SOURCE_DIR}/src)
    target_link_libraries(sennit_${name} INTERFACE ${room_DEPENDS})
  endif()
  add_library(sennit::${name} ALIAS sennit_${name})

  if(SENNIT_TESTS AND tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE sennit_${name} ${room_TEST_DEPENDS} GTest::gmock
                                               GTest::gtest_main)
    gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}: "
                         PROPERTIES TIMEOUT 120)
  endif()
endfunction()
