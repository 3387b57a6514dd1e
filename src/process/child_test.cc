#include "process/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <future>

namespace sennit::process {
namespace {

using namespace std::chrono_literals;

Command shell(std::string script) {
  return {.arguments = {"/bin/sh", "-c", std::move(script)}};
}

TEST(Child, TellsTheExitCode) {
  EXPECT_EQ(Child::start(shell("exit 7"))->wait(), 7);
}

TEST(Child, TellsTheSignalAsShellsDo) {
  EXPECT_EQ(Child::start(shell("kill -9 $$"))->wait(), 128 + SIGKILL);
}

TEST(Child, AProgramThatDoesNotExistIsAnError) {
  auto child = Child::start({.arguments = {"no-such-program-anywhere"}});
  ASSERT_FALSE(child.has_value());
  EXPECT_THAT(child.error().message, testing::HasSubstr("no-such-program-anywhere"));
}

TEST(Child, HandsOutputOverLineByLineWithItsEnvironment) {
  std::vector<std::string> lines;
  {
    Command command = shell("echo one; echo $GREETING >&2; printf three");
    command.environment["GREETING"] = "two";
    command.on_line = [&](std::string_view line) { lines.emplace_back(line); };
    Child::start(command)->wait();
  }
  EXPECT_THAT(lines, testing::ElementsAre("one", "two", "three"));
}

TEST(Child, TerminatesWhatDoesNotListen) {
  std::promise<void> ready;
  Command command = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
  command.on_line = [&](std::string_view) { ready.set_value(); };
  command.own_group = true;
  auto child = Child::start(command);
  ready.get_future().wait();
  EXPECT_EQ(child->terminate(50ms), 128 + SIGKILL);
}

TEST(Child, ASignalReachesTheWholeGroup) {
  Command command = shell("sleep 1000 & wait");
  command.own_group = true;
  auto child = Child::start(command);
  EXPECT_EQ(child->terminate(5s), 128 + SIGTERM);
}

TEST(Child, IsKilledWhenItsOwnerGoes) {
  pid_t pid;
  {
    auto child = Child::start(shell("exec sleep 1000"));
    pid = child->pid();
  }
  EXPECT_EQ(::kill(pid, 0), -1);
}

}  // namespace
}  // namespace sennit::process
