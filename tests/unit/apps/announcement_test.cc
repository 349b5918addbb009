// Goal: an announcement that sends clients where nobody is: to loopback, after the end, or by half a file.
#include <gtest/gtest.h>

#include "apps/node/announcement.h"
#include "io/whole_file.h"
#include "sim/env.h"

namespace lockstep::node {
namespace {

std::vector<io::Endpoint> Parsed(std::initializer_list<const char*> texts) {
  std::vector<io::Endpoint> endpoints;
  for (const char* text : texts) endpoints.push_back(*io::Endpoint::Parse(text));
  return endpoints;
}

TEST(Announcement, NamesEveryEndpointThatOthersCanReach) {
  const auto https = Parsed({"tcp:127.0.0.1:1", "tcp:0.0.0.0:5989", "tcp:10.0.0.1:7"});
  const std::string text = ServiceFile("east & west", https);
  EXPECT_NE(text.find("<name>Lockstep on east &amp; west</name>"), std::string::npos) << text;
  EXPECT_NE(text.find("<type>_wbem-https._tcp</type>\n    <port>5989</port>"), std::string::npos) << text;
  EXPECT_NE(text.find("<port>7</port>"), std::string::npos) << text;
  EXPECT_EQ(text.find("<port>1</port>"), std::string::npos) << text;
  EXPECT_EQ(ServiceFile("east", Parsed({"tcp:127.0.0.1:5989", "tcp:[::1]:5989"})), "");
}

class AnnouncementFile : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(env_.files().CreateDirectory("services").ok()); }
  std::vector<std::string> Files() { return *env_.files().List("services"); }
  sim::SimEnv env_{1};
  Announcement announcement_{env_.files(), "services"};
};

TEST_F(AnnouncementFile, IsThereUntilItIsWithdrawn) {
  const auto https = Parsed({"tcp:0.0.0.0:5989"});
  ASSERT_TRUE(announcement_.Make("east", https).ok());
  EXPECT_EQ(*io::ReadWholeFile(env_.files(), "services/lockstep.service"), ServiceFile("east", https));
  EXPECT_EQ(Files().size(), 1u) << "nothing half written that Avahi would read";
  ASSERT_TRUE(announcement_.Withdraw().ok());
  EXPECT_TRUE(Files().empty());
  EXPECT_TRUE(announcement_.Withdraw().ok()) << "nothing to take away";
}

TEST_F(AnnouncementFile, OfAnEarlierLifeGoesWhenThereIsNothingToSay) {
  ASSERT_TRUE(announcement_.Make("east", Parsed({"tcp:0.0.0.0:5989"})).ok());
  ASSERT_TRUE(announcement_.Make("east", Parsed({"tcp:127.0.0.1:5989"})).ok());
  EXPECT_TRUE(Files().empty());
}

TEST_F(AnnouncementFile, WhoCannotWriteItIsToldWhichSettingIsWrong) {
  Announcement nowhere(env_.files(), "missing");
  const Status refused = nowhere.Make("east", Parsed({"tcp:0.0.0.0:5989"}));
  EXPECT_FALSE(refused.ok());
  EXPECT_NE(refused.message().find("[cim] announce"), std::string::npos) << refused.message();
  EXPECT_TRUE(Announcement(env_.files(), "").Make("east", Parsed({"tcp:0.0.0.0:5989"})).ok());
}

}  // namespace
}  // namespace lockstep::node
