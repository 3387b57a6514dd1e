# sennit_mesh_protos: our own definitions of Istio's API (istio/*.proto), generated into the build
# directory; include them as "mesh/api/istio/virtual_service.pb.h".
set(mesh_proto_root ${CMAKE_CURRENT_SOURCE_DIR})
set(mesh_proto_out ${CMAKE_BINARY_DIR}/mesh_protos)
file(GLOB mesh_protos CONFIGURE_DEPENDS ${mesh_proto_root}/mesh/api/istio/*.proto)
set(mesh_proto_sources "")
foreach(proto IN LISTS mesh_protos)
  get_filename_component(stem ${proto} NAME_WE)
  list(APPEND mesh_proto_sources ${mesh_proto_out}/mesh/api/istio/${stem}.pb.cc)
  list(APPEND mesh_proto_headers ${mesh_proto_out}/mesh/api/istio/${stem}.pb.h)
endforeach()
file(MAKE_DIRECTORY ${mesh_proto_out})
add_custom_command(
  OUTPUT ${mesh_proto_sources} ${mesh_proto_headers}
  COMMAND protobuf::protoc --proto_path=${mesh_proto_root} --cpp_out=${mesh_proto_out} ${mesh_protos}
  DEPENDS ${mesh_protos} protobuf::protoc
  COMMENT "Generating Istio's API from src/mesh/api/istio"
  VERBATIM)
add_library(sennit_mesh_protos STATIC ${mesh_proto_sources})
target_include_directories(sennit_mesh_protos SYSTEM PUBLIC ${mesh_proto_out})
target_link_libraries(sennit_mesh_protos PUBLIC protobuf::libprotobuf)
target_compile_options(sennit_mesh_protos PRIVATE -w)
