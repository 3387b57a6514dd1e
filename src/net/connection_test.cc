#include "net/connection.h"

#include <gmock/gmock.h>

#include "net/test_connections.h"

namespace sennit::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConnectionTest : public testing::Test {
 protected:
  bool until(const std::function<bool()>& done) { return run_until(loop_, done); }
  // An open plaintext connection, both ends started.
  std::unique_ptr<Pair> open() {
    auto pair = connect_pair(loop_, make_raw_transport_socket, make_raw_transport_socket);
    pair->server->start();
    EXPECT_TRUE(until([&] { return pair->at_client.saw(ConnectionEvent::Connected); }));
    return pair;
  }
  void turn() {
    for (int i = 0; i < 3; ++i) loop_.run_once(Milliseconds(1));
  }
  // More than the kernel's socket buffers hold.
  const std::string kMuch = std::string(16 << 20, 'm');
  EventLoop loop_;
};

TEST_F(ConnectionTest, CarriesBytesBothWays) {
  auto pair = open();
  pair->client->write("question");
  ASSERT_TRUE(until([&] { return pair->at_server.received == "question"; }));
  pair->server->write("answer");
  EXPECT_TRUE(until([&] { return pair->at_client.received == "answer"; }));
  EXPECT_EQ(pair->client->bytes_written(), 8u);
  EXPECT_EQ(pair->client->bytes_read(), 6u);
}

TEST_F(ConnectionTest, KnowsItsAddresses) {
  auto pair = open();
  EXPECT_TRUE(pair->client->local_address().is_loopback());
  EXPECT_NE(pair->client->local_address().port(), 0);
  EXPECT_EQ(pair->client->remote_address(), pair->server->local_address());
}

TEST_F(ConnectionTest, SendsWhatWasWrittenBeforeItWasConnected) {
  auto pair = connect_pair(loop_, make_raw_transport_socket, make_raw_transport_socket);
  pair->client->write("early");
  pair->server->start();
  EXPECT_TRUE(until([&] { return pair->at_server.received == "early"; }));
}

TEST_F(ConnectionTest, HandsOverBytesThatWereReadBeforeIt) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  UniqueFd peer(fds[1]);
  Buffer input;
  input.append("peeked ");
  auto connection = Connection::accepted(loop_, UniqueFd(fds[0]), {}, {},
                                         make_raw_transport_socket(), std::move(input));
  Recorder recorder;
  connection->set_callbacks(&recorder);
  connection->start();
  EXPECT_EQ(recorder.received, "") << "no callback from inside start()";
  ASSERT_EQ(::send(peer.get(), "rest", 4, 0), 4);
  EXPECT_TRUE(until([&] { return recorder.received == "peeked rest"; }));
}

TEST_F(ConnectionTest, CarriesMoreThanTheKernelHoldsInOrder) {
  auto pair = open();
  std::string much(8 << 20, '\0');
  for (size_t i = 0; i < much.size(); ++i) much[i] = static_cast<char>(i * 31 >> 8);
  pair->client->write(much);
  ASSERT_TRUE(until([&] { return pair->at_server.received.size() >= much.size(); }));
  EXPECT_TRUE(pair->at_server.received == much);
}

TEST_F(ConnectionTest, KeepsBytesThatAreNotTakenAndHandsThemOverWithMore) {
  auto pair = open();
  std::vector<std::string> seen;
  pair->at_server.data_action = [&](Buffer& input) { seen.emplace_back(input.view()); };
  pair->client->write("ab");
  ASSERT_TRUE(until([&] { return seen.size() == 1; }));
  pair->client->write("cd");
  ASSERT_TRUE(until([&] { return seen.size() == 2; }));
  EXPECT_THAT(seen, ElementsAre("ab", "abcd"));
}

TEST_F(ConnectionTest, ReportsTheEndOfTheStreamWithHalfClose) {
  auto pair = open();
  pair->server->enable_half_close(true);
  pair->client->enable_half_close(true);
  pair->client->write("all");
  pair->client->shutdown_write();
  ASSERT_TRUE(until([&] { return pair->at_server.ended; }));
  EXPECT_EQ(pair->at_server.received, "all");
  EXPECT_FALSE(pair->at_server.closed());
  pair->server->write("still here");
  EXPECT_TRUE(until([&] { return pair->at_client.received == "still here"; }));
}

TEST_F(ConnectionTest, IsClosedWhenBothHalvesAre) {
  auto pair = open();
  pair->server->enable_half_close(true);
  pair->client->enable_half_close(true);
  pair->client->shutdown_write();
  ASSERT_TRUE(until([&] { return pair->at_server.ended; }));
  pair->server->shutdown_write();
  EXPECT_TRUE(until([&] { return pair->at_server.closed() && pair->at_client.closed(); }));
  EXPECT_TRUE(pair->at_client.ended);
}

TEST_F(ConnectionTest, TakesTheEndOfTheStreamForACloseWithoutHalfClose) {
  auto pair = open();
  pair->client->write("last words");
  pair->client->close(CloseType::FlushWrite);
  ASSERT_TRUE(until([&] { return pair->at_server.closed(); }));
  EXPECT_EQ(pair->at_server.received, "last words");
  EXPECT_THAT(pair->at_server.events, ElementsAre(ConnectionEvent::RemoteClose));
}

TEST_F(ConnectionTest, ReadsNothingWhileReadingIsDisabled) {
  auto pair = open();
  pair->server->read_disable(true);
  pair->server->read_disable(true);
  pair->client->write("wait");
  turn();
  EXPECT_EQ(pair->at_server.received, "");
  pair->server->read_disable(false);
  turn();
  EXPECT_EQ(pair->at_server.received, "") << "disabled twice, enabled once";
  pair->server->read_disable(false);
  EXPECT_TRUE(until([&] { return pair->at_server.received == "wait"; }));
}

TEST_F(ConnectionTest, HandsOverTheRestWhenReadingIsEnabledAgain) {
  auto pair = open();
  pair->at_server.data_action = [&](Buffer& input) {
    pair->at_server.received += input.view().substr(0, 1);
    input.drain(1);
    pair->server->read_disable(true);
  };
  pair->client->write("xy");
  ASSERT_TRUE(until([&] { return pair->at_server.received == "x"; }));
  pair->server->read_disable(false);
  EXPECT_TRUE(until([&] { return pair->at_server.received == "xy"; }));
}

TEST_F(ConnectionTest, TellsItsProducerToSlowDownAndToGoOn) {
  auto pair = open();
  pair->server->read_disable(true);
  pair->client->set_write_watermark(64 * 1024);
  pair->client->write(kMuch);
  EXPECT_EQ(pair->at_client.above, 1);
  EXPECT_TRUE(pair->client->above_write_watermark());
  turn();
  EXPECT_EQ(pair->at_client.below, 0) << "the peer reads nothing";
  pair->server->read_disable(false);
  EXPECT_TRUE(until([&] { return pair->at_client.below == 1; }));
  EXPECT_FALSE(pair->client->above_write_watermark());
}

TEST_F(ConnectionTest, SaysWhenItIsRefused) {
  Address address;
  {
    auto listening = listen_on(*Address::ip("127.0.0.1", 0), {});
    address = bound_address(listening->get());
  }
  Recorder recorder;
  auto client = Connection::connect(loop_, address, {}, make_raw_transport_socket());
  client->set_callbacks(&recorder);
  EXPECT_TRUE(recorder.events.empty()) << "no callback from inside connect()";
  ASSERT_TRUE(until([&] { return recorder.closed(); }));
  EXPECT_THAT(recorder.events, ElementsAre(ConnectionEvent::RemoteClose));
  EXPECT_THAT(std::string(client->transport_failure_reason()), HasSubstr("Connection refused"));
  EXPECT_FALSE(client->connect_timed_out());
}

TEST_F(ConnectionTest, SaysWhenTheUnixSocketDoesNotExist) {
  Recorder recorder;
  auto client = Connection::connect(loop_, *Address::unix_path("@sennit-nobody-listens"), {},
                                    make_raw_transport_socket());
  client->set_callbacks(&recorder);
  ASSERT_TRUE(until([&] { return recorder.closed(); }));
  EXPECT_THAT(std::string(client->transport_failure_reason()),
              HasSubstr("immediate connect error"));
}

// A peer whose handshake never ends: the connect timeout covers it as well.
struct SilentTransport final : TransportSocket {
  IoResult read(int, Buffer&, size_t) override { return {IoStatus::WouldBlock}; }
  IoResult write(int, Buffer&, bool) override { return {IoStatus::WouldBlock}; }
  IoResult handshake(int) override { return {IoStatus::WouldBlock}; }
  const TlsInfo* tls_info() const override { return nullptr; }
  std::string_view failure_reason() const override { return {}; }
};

TEST_F(ConnectionTest, GivesUpAfterTheConnectTimeout) {
  auto listening = listen_on(*Address::ip("127.0.0.1", 0), {});
  Recorder recorder;
  ConnectOptions options;
  options.connect_timeout = Milliseconds(20);
  auto client = Connection::connect(loop_, bound_address(listening->get()), options,
                                    std::make_unique<SilentTransport>());
  client->set_callbacks(&recorder);
  ASSERT_TRUE(until([&] { return recorder.closed(); }));
  EXPECT_TRUE(client->connect_timed_out());
  EXPECT_EQ(client->transport_failure_reason(), "connection timeout");
}

TEST_F(ConnectionTest, MayBeClosedFromInsideOnData) {
  auto pair = open();
  pair->at_server.data_action = [&](Buffer&) { pair->server->close(CloseType::NoFlush); };
  pair->client->write("bye");
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_THAT(pair->at_server.events, ElementsAre(ConnectionEvent::LocalClose));
}

TEST_F(ConnectionTest, MayBeDeletedFromInsideOnEvent) {
  auto pair = open();
  pair->at_server.event_action = [&](ConnectionEvent) {
    loop_.defer_delete(std::move(pair->server));
  };
  pair->client->close(CloseType::NoFlush);
  EXPECT_TRUE(until([&] { return !pair->server; }));
}

TEST_F(ConnectionTest, MayBeClosedFromInsideConnected) {
  Recorder recorder;
  auto listening = listen_on(*Address::ip("127.0.0.1", 0), {});
  auto client =
      Connection::connect(loop_, bound_address(listening->get()), {}, make_raw_transport_socket());
  client->set_callbacks(&recorder);
  recorder.event_action = [&](ConnectionEvent event) {
    if (event == ConnectionEvent::Connected) client->close(CloseType::NoFlush);
  };
  ASSERT_TRUE(until([&] { return recorder.closed(); }));
  EXPECT_THAT(recorder.events,
              ElementsAre(ConnectionEvent::Connected, ConnectionEvent::LocalClose));
}

TEST_F(ConnectionTest, WritesEverythingBeforeAFlushingClose) {
  auto pair = open();
  pair->server->write(kMuch);
  pair->server->close(CloseType::FlushWrite);
  EXPECT_EQ(pair->server->state(), Connection::State::Closing);
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_EQ(pair->at_client.received.size(), kMuch.size());
}

TEST_F(ConnectionTest, DoesNotResetAPeerThatIsStillSendingWhenItClosesFlushing) {
  auto pair = open();
  pair->client->write(kMuch);
  ASSERT_TRUE(until([&] { return !pair->at_server.received.empty(); }));
  pair->server->write("413 too much");
  pair->server->close(CloseType::FlushWrite);
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_EQ(pair->at_client.received, "413 too much");
}

TEST_F(ConnectionTest, SaysNothingAfterItsClose) {
  auto pair = open();
  pair->server->close(CloseType::NoFlush);
  pair->client->write("into the void");
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  pair->server->close(CloseType::NoFlush);
  turn();
  EXPECT_THAT(pair->at_server.events, ElementsAre(ConnectionEvent::LocalClose));
  EXPECT_EQ(pair->at_client.events.size(), 2u) << "Connected, RemoteClose";
}

TEST_F(ConnectionTest, ResetsThePeerWhenAskedTo) {
  auto pair = open();
  pair->server->close(CloseType::Reset);
  ASSERT_TRUE(until([&] { return pair->at_client.closed(); }));
  EXPECT_THAT(std::string(pair->client->transport_failure_reason()), HasSubstr("reset"));
}

TEST_F(ConnectionTest, ToldOfAClientThatWentAwayWhileNothingIsRead) {
  auto pair = open();
  pair->server->read_disable(true);
  pair->client->close(CloseType::NoFlush);
  ASSERT_TRUE(until([&] { return pair->at_server.closed(); }));
  EXPECT_THAT(pair->at_server.events, ElementsAre(ConnectionEvent::RemoteClose));
}

}  // namespace
}  // namespace sennit::net
