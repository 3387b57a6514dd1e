// A go-control-plane server with one small snapshot: listener -> route -> cluster -> endpoint, served
// in the four modes of the protocol. It drives sennit-proxy in test_go_control_plane.py.
//
//	go_control_plane -port P -listen P -backend HOST:PORT -mode xds|ads|delta|delta-ads
//
// Each line on standard input is a new route prefix rewrite: the next snapshot's version.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"strconv"
	"time"

	cluster "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpoint "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listener "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	router "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	clusterservice "github.com/envoyproxy/go-control-plane/envoy/service/cluster/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	endpointservice "github.com/envoyproxy/go-control-plane/envoy/service/endpoint/v3"
	listenerservice "github.com/envoyproxy/go-control-plane/envoy/service/listener/v3"
	routeservice "github.com/envoyproxy/go-control-plane/envoy/service/route/v3"
	"github.com/envoyproxy/go-control-plane/pkg/cache/types"
	"github.com/envoyproxy/go-control-plane/pkg/cache/v3"
	"github.com/envoyproxy/go-control-plane/pkg/resource/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
)

func pack(message proto.Message) *anypb.Any {
	packed, err := anypb.New(message)
	if err != nil {
		log.Fatal(err)
	}
	return packed
}

func address(host string, port uint32) *core.Address {
	return &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
		Address: host, PortSpecifier: &core.SocketAddress_PortValue{PortValue: port}}}}
}

func source(mode string) *core.ConfigSource {
	if mode == "ads" || mode == "delta-ads" {
		return &core.ConfigSource{ResourceApiVersion: core.ApiVersion_V3,
			ConfigSourceSpecifier: &core.ConfigSource_Ads{Ads: &core.AggregatedConfigSource{}}}
	}
	kind := core.ApiConfigSource_GRPC
	if mode == "delta" {
		kind = core.ApiConfigSource_DELTA_GRPC
	}
	return &core.ConfigSource{ResourceApiVersion: core.ApiVersion_V3,
		ConfigSourceSpecifier: &core.ConfigSource_ApiConfigSource{ApiConfigSource: &core.ApiConfigSource{
			ApiType: kind, TransportApiVersion: core.ApiVersion_V3,
			GrpcServices: []*core.GrpcService{{TargetSpecifier: &core.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &core.GrpcService_EnvoyGrpc{ClusterName: "xds"}}}}}}}
}

func snapshot(version, prefix, mode, backendHost string, backendPort, listenPort uint32) *cache.Snapshot {
	eds := &endpoint.ClusterLoadAssignment{ClusterName: "backend", Endpoints: []*endpoint.LocalityLbEndpoints{{
		LbEndpoints: []*endpoint.LbEndpoint{{HostIdentifier: &endpoint.LbEndpoint_Endpoint{
			Endpoint: &endpoint.Endpoint{Address: address(backendHost, backendPort)}}}}}}}
	cds := &cluster.Cluster{Name: "backend", ConnectTimeout: durationpb.New(time.Second),
		ClusterDiscoveryType: &cluster.Cluster_Type{Type: cluster.Cluster_EDS},
		EdsClusterConfig:     &cluster.Cluster_EdsClusterConfig{EdsConfig: source(mode)}}
	rds := &route.RouteConfiguration{Name: "routes", VirtualHosts: []*route.VirtualHost{{
		Name: "all", Domains: []string{"*"}, Routes: []*route.Route{{
			Match: &route.RouteMatch{PathSpecifier: &route.RouteMatch_Prefix{Prefix: "/"}},
			Action: &route.Route_Route{Route: &route.RouteAction{PrefixRewrite: prefix,
				ClusterSpecifier: &route.RouteAction_Cluster{Cluster: "backend"}}}}}}}}
	manager := &hcm.HttpConnectionManager{StatPrefix: "ingress",
		RouteSpecifier: &hcm.HttpConnectionManager_Rds{Rds: &hcm.Rds{RouteConfigName: "routes", ConfigSource: source(mode)}},
		HttpFilters: []*hcm.HttpFilter{{Name: "envoy.filters.http.router",
			ConfigType: &hcm.HttpFilter_TypedConfig{TypedConfig: pack(&router.Router{})}}}}
	lds := &listener.Listener{Name: "ingress", Address: address("127.0.0.1", listenPort),
		FilterChains: []*listener.FilterChain{{Filters: []*listener.Filter{{
			Name:       "envoy.filters.network.http_connection_manager",
			ConfigType: &listener.Filter_TypedConfig{TypedConfig: pack(manager)}}}}}}
	made, err := cache.NewSnapshot(version, map[resource.Type][]types.Resource{
		resource.ClusterType: {cds}, resource.EndpointType: {eds}, resource.RouteType: {rds}, resource.ListenerType: {lds}})
	if err != nil {
		log.Fatal(err)
	}
	return made
}

func main() {
	port := flag.Int("port", 0, "xDS port")
	listen := flag.Int("listen", 0, "the proxy's listener")
	backend := flag.String("backend", "", "HOST:PORT of the upstream")
	mode := flag.String("mode", "ads", "xds, ads, delta or delta-ads")
	flag.Parse()
	host, portText, err := net.SplitHostPort(*backend)
	if err != nil {
		log.Fatal(err)
	}
	backendPort, _ := strconv.Atoi(portText)

	snapshots := cache.NewSnapshotCache(*mode == "ads" || *mode == "delta-ads", cache.IDHash{}, nil)
	version := 0
	set := func(prefix string) {
		version++
		next := snapshot(fmt.Sprint(version), prefix, *mode, host, uint32(backendPort), uint32(*listen))
		if err := snapshots.SetSnapshot(context.Background(), "test", next); err != nil {
			log.Fatal(err)
		}
	}
	set("/first/")

	xds := server.NewServer(context.Background(), snapshots, nil)
	grpcServer := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(grpcServer, xds)
	clusterservice.RegisterClusterDiscoveryServiceServer(grpcServer, xds)
	endpointservice.RegisterEndpointDiscoveryServiceServer(grpcServer, xds)
	listenerservice.RegisterListenerDiscoveryServiceServer(grpcServer, xds)
	routeservice.RegisterRouteDiscoveryServiceServer(grpcServer, xds)
	socket, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			set(lines.Text())
		}
		grpcServer.Stop()
	}()
	fmt.Println("serving")
	if err := grpcServer.Serve(socket); err != nil {
		log.Fatal(err)
	}
}
