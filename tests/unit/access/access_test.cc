// Users, passwords, roles, who guesses, and the audit log.
#include <gtest/gtest.h>

#include <optional>

#include "access/audit.h"
#include "access/authenticator.h"
#include "access/failures.h"
#include "access/users.h"
#include "io/whole_file.h"
#include "sim/await.h"
#include "sim/crash_points.h"

namespace lockstep::access {
namespace {

constexpr PasswordCost kCheap{4, 8, 1};
constexpr char kUsers[] = "/data/users";

TEST(Password, IsVerifiedAndNeverTheSameTwice) {
  sim::SimEnv env(1);
  const auto one = HashPassword("correct horse", env.random(), kCheap);
  const auto two = HashPassword("correct horse", env.random(), kCheap);
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(*one, *two);
  for (const std::string& hash : {*one, *two}) {
    EXPECT_TRUE(IsPasswordHash(hash)) << hash;
    EXPECT_TRUE(VerifyPassword("correct horse", hash));
    EXPECT_FALSE(VerifyPassword("correct horsf", hash));
    EXPECT_FALSE(VerifyPassword("", hash));
  }
}

// RFC 7914, section 12, the third of its vectors.
TEST(Password, IsScryptAsTheStandardHasIt) {
  const std::string hash =
      "scrypt$14$8$1$536f6469756d43686c6f72696465$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5"
      "432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
  EXPECT_TRUE(VerifyPassword("pleaseletmein", hash));
  EXPECT_FALSE(VerifyPassword("pleaseletmeim", hash));
}

TEST(Password, WhatIsNoHashVerifiesNothing) {
  for (const char* text : {"", "-", "scrypt", "scrypt$4$8$1$00", "scrypt$4$8$1$00$", "scrypt$4$8$1$0$00",
                           "scrypt$4$8$1$00$00$00", "scrypt$40$8$1$00$00", "scrypt$4$0$1$00$00", "scrypt$4$8$x$00$00",
                           "md5$4$8$1$00$00", "scrypt$4$8$1$0g$00"}) {
    EXPECT_FALSE(IsPasswordHash(text)) << text;
    EXPECT_FALSE(VerifyPassword("password", text)) << text;
  }
}

TEST(Roles, EachMayWhatThoseBeforeItMay) {
  EXPECT_TRUE(Allows(Role::kAdministrator, Role::kMonitor));
  EXPECT_TRUE(Allows(Role::kOperator, Role::kOperator));
  EXPECT_FALSE(Allows(Role::kMonitor, Role::kOperator));
  EXPECT_FALSE(Allows(Role::kOperator, Role::kAdministrator));
  for (const Role role : {Role::kMonitor, Role::kOperator, Role::kAdministrator})
    EXPECT_EQ(*ParseRole(RoleName(role)), role);
  EXPECT_FALSE(ParseRole("Administrator").ok());
  EXPECT_FALSE(ParseRole("").ok());
}

TEST(UsersFile, SaysWhichLineIsWrong) {
  const auto refusal = [](std::string_view text) {
    const auto users = ParseUsers(text, "users");
    return users.ok() ? std::string("accepted") : users.status().message();
  };
  EXPECT_EQ(refusal("# nobody\n\n"), "accepted");
  EXPECT_EQ(refusal("anna monitor -\r\nbert operator - # by certificate\ncarl operator pam\n"), "accepted");
  EXPECT_TRUE(refusal("anna monitor -\nanna monitor -\n").starts_with("users:2: user anna is there already"));
  EXPECT_TRUE(refusal("anna root -\n").starts_with("users:1: \"root\" is no role"));
  EXPECT_TRUE(refusal("\nanna monitor secret\n").starts_with("users:2: the third word is no password hash"));
  EXPECT_TRUE(refusal("anna monitor\n").starts_with("users:1: a line is"));
  EXPECT_TRUE(refusal("anna monitor - -\n").starts_with("users:1: a line is"));
  EXPECT_TRUE(refusal("-x monitor -\n").starts_with("users:1: a user's name"));
}

class Access : public testing::Test {
 protected:
  Access() : env_(3) { EXPECT_TRUE(env_.files().CreateDirectory("/data").ok()); }

  std::unique_ptr<Users> MakeUsers() {
    auto users = std::make_unique<Users>(
        Users::Surroundings{env_.files(), env_.executor(), env_.loop(), env_.random(), kCheap}, kUsers);
    EXPECT_TRUE(users->Load().ok());
    return users;
  }
  template <typename T>
  T Await(Task<T> task) {
    return sim::Await(env_, std::move(task));
  }
  std::unique_ptr<Authenticator> MakeAuthenticator(Users& users) {
    return std::make_unique<Authenticator>(
        Authenticator::Surroundings{env_.executor(), env_.loop(), env_.clock(), env_.random(), env_.log()}, users);
  }
  Verdict::Kind Ask(Authenticator& authenticator, std::string name, std::string password,
                    std::string peer = "tcp:192.0.2.7:4000") {
    return Await(authenticator.ByPassword(std::move(name), std::move(password), std::move(peer))).kind;
  }

  sim::SimEnv env_;
};

TEST_F(Access, UsersSurviveARestart) {
  auto users = MakeUsers();
  EXPECT_TRUE(users->List().empty());
  EXPECT_TRUE(Await(users->Add("anna", Role::kAdministrator, "password one")).ok());
  EXPECT_TRUE(Await(users->Add("host7.example.org", Role::kMonitor, std::nullopt)).ok());
  EXPECT_TRUE(Await(users->Add("bert", Role::kMonitor, "password two")).ok());
  EXPECT_EQ(Await(users->Add("anna", Role::kMonitor, "password two")).code(), Code::kAlreadyExists);
  EXPECT_EQ(Await(users->Add("a b", Role::kMonitor, "password two")).code(), Code::kInvalidArgument);
  EXPECT_EQ(Await(users->Add("carl", Role::kMonitor, "short")).code(), Code::kInvalidArgument);
  EXPECT_TRUE(users->SetRole("bert", Role::kOperator).ok());
  EXPECT_EQ(users->SetRole("carl", Role::kOperator).code(), Code::kNotFound);
  EXPECT_TRUE(Await(users->SetPassword("bert", "password three")).ok());
  EXPECT_EQ(Await(users->SetPassword("carl", "password three")).code(), Code::kNotFound);
  EXPECT_TRUE(users->Remove("host7.example.org").ok());
  EXPECT_EQ(users->Remove("host7.example.org").code(), Code::kNotFound);
  users.reset();
  env_.Crash();
  users = MakeUsers();
  ASSERT_EQ(users->List().size(), 2u);
  EXPECT_EQ(users->Find("anna")->role, Role::kAdministrator);
  EXPECT_EQ(users->Find("bert")->role, Role::kOperator);
  EXPECT_TRUE(VerifyPassword("password three", users->Find("bert")->password_hash));
  const auto text = io::ReadWholeFile(env_.files(), kUsers);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text->find("password"), text->find("password hash"));  // only in the first line
}

TEST(UsersFile, HoldsTheOldUsersOrTheNewAfterAPowerCutAtAnyMoment) {
  bool answered = false;
  const auto load = [](sim::SimEnv& env) {
    Users users({env.files(), env.executor(), env.loop(), env.random(), kCheap}, kUsers);
    EXPECT_TRUE(users.Load().ok());
    return users;
  };
  sim::ForEachCrashPoint(
      {.seed = 4},
      [&](sim::SimEnv& env, sim::CrashPoint& point) {
        ASSERT_TRUE(env.files().CreateDirectory("/data").ok());
        ASSERT_TRUE(env.files().SyncDirectory("/").ok());
        Users users = load(env);
        ASSERT_TRUE(sim::Await(env, users.Add("anna", Role::kAdministrator, "password one")).ok());
        point.Arm();
        answered = sim::Await(env, users.SetPassword("anna", "password two")).ok();
      },
      [&](sim::SimEnv& env, bool completed) {
        Users users = load(env);
        ASSERT_EQ(users.List().size(), 1u) << "who administrates the node is locked out";
        const std::string& hash = users.Find("anna")->password_hash;
        const bool changed = VerifyPassword("password two", hash);
        EXPECT_TRUE(changed || VerifyPassword("password one", hash));
        EXPECT_TRUE(changed || !answered) << "a change that was answered with OK is lost";
        EXPECT_TRUE(answered || !completed);
        // What the cut left behind is in nobody's way.
        EXPECT_TRUE(users.SetRole("anna", Role::kMonitor).ok());
      });
}

TEST_F(Access, APasswordCountsUntilItIsChangedOrTheUserGoes) {
  auto users = MakeUsers();
  ASSERT_TRUE(Await(users->Add("anna", Role::kOperator, "password one")).ok());
  ASSERT_TRUE(Await(users->Add("cert", Role::kMonitor, std::nullopt)).ok());
  auto authenticator = MakeAuthenticator(*users);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Ask(*authenticator, "anna", "password one"), Verdict::Kind::kKnown);
  EXPECT_EQ(Ask(*authenticator, "anna", "password two"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(*authenticator, "nobody", "password one"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(*authenticator, "cert", ""), Verdict::Kind::kUnknown);
  EXPECT_EQ(authenticator->ByCertificate("cert")->role, Role::kMonitor);
  EXPECT_FALSE(authenticator->ByCertificate("nobody") || authenticator->ByCertificate(""));
  ASSERT_TRUE(Await(users->SetPassword("anna", "password two")).ok());
  EXPECT_EQ(Ask(*authenticator, "anna", "password one"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(*authenticator, "anna", "password two"), Verdict::Kind::kKnown);
  ASSERT_TRUE(users->SetRole("anna", Role::kMonitor).ok());
  EXPECT_EQ(Await(authenticator->ByPassword("anna", "password two", "unix")).person.role, Role::kMonitor);
  ASSERT_TRUE(users->Remove("anna").ok());
  EXPECT_EQ(Ask(*authenticator, "anna", "password two"), Verdict::Kind::kUnknown);
}

TEST_F(Access, APamUsersPasswordIsAskedForElsewhereAndRememberedForAWhile) {
  Users users({env_.files(), env_.executor(), env_.loop(), env_.random(), kCheap, true}, kUsers);
  ASSERT_TRUE(users.AddPam("petra", Role::kOperator).ok());
  EXPECT_EQ(users.AddPam("petra", Role::kOperator).code(), Code::kAlreadyExists);
  EXPECT_EQ(MakeUsers()->AddPam("paul", Role::kOperator).code(), Code::kNotSupported);
  ASSERT_TRUE(Await(users.Add("anna", Role::kMonitor, "password one")).ok());
  size_t asked = 0;
  std::string valid = "of the system";
  Authenticator authenticator({env_.executor(), env_.loop(), env_.clock(), env_.random(), env_.log(),
                               [&](const std::string& name, const std::string& password) {
                                 ++asked;
                                 EXPECT_EQ(name, "petra");
                                 return password == valid;
                               }},
                              users);
  EXPECT_EQ(Ask(authenticator, "petra", "wrong"), Verdict::Kind::kUnknown);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(Ask(authenticator, "petra", "of the system"), Verdict::Kind::kKnown);
  EXPECT_EQ(asked, 2u);
  EXPECT_EQ(Ask(authenticator, "anna", "password one"), Verdict::Kind::kKnown);
  EXPECT_EQ(Ask(authenticator, "anna", "of the system"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(authenticator, "nobody", "of the system"), Verdict::Kind::kUnknown);
  EXPECT_EQ(asked, 2u);
  valid = "changed there";
  env_.loop().RunFor(std::chrono::minutes(6));
  EXPECT_EQ(Ask(authenticator, "petra", "of the system"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(authenticator, "petra", "changed there"), Verdict::Kind::kKnown);
  EXPECT_EQ(Ask(authenticator, "anna", "password one"), Verdict::Kind::kKnown);
  EXPECT_EQ(asked, 4u);
  // What the file says is what is known after a restart; without PAM nobody's password is right.
  auto again = MakeUsers();
  ASSERT_TRUE(again->Find("petra")->pam);
  auto without = MakeAuthenticator(*again);
  EXPECT_EQ(Ask(*without, "petra", "changed there"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(*without, "petra", ""), Verdict::Kind::kUnknown);
  // A password of our own ends it.
  ASSERT_TRUE(Await(users.SetPassword("petra", "password two")).ok());
  EXPECT_EQ(Ask(authenticator, "petra", "changed there"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(authenticator, "petra", "password two"), Verdict::Kind::kKnown);
  EXPECT_EQ(asked, 4u);
}

TEST_F(Access, WhoGuessesIsHeldBackAndOthersAreNot) {
  auto users = MakeUsers();
  ASSERT_TRUE(Await(users->Add("anna", Role::kOperator, "password one")).ok());
  auto authenticator = MakeAuthenticator(*users);
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Ask(*authenticator, "anna", "guess" + std::to_string(i)),
                                        Verdict::Kind::kUnknown);
  // Another port is the same guesser, and the right password is not looked at now.
  EXPECT_EQ(Ask(*authenticator, "anna", "password one", "tcp:192.0.2.7:5000"), Verdict::Kind::kHeldBack);
  EXPECT_EQ(Ask(*authenticator, "anna", "password one", "tcp:192.0.2.8:5000"), Verdict::Kind::kKnown);
  // Who was verified before is known without looking: an attacker at the same address keeps nobody out.
  EXPECT_EQ(Ask(*authenticator, "anna", "password one", "tcp:192.0.2.7:5000"), Verdict::Kind::kKnown);
  env_.loop().RunFor(std::chrono::seconds(2));
  EXPECT_EQ(Ask(*authenticator, "anna", "guess again"), Verdict::Kind::kUnknown);
  EXPECT_EQ(Ask(*authenticator, "anna", "guess more"), Verdict::Kind::kHeldBack);
}

TEST_F(Access, ManyAtOnceAreAnsweredOrToldSo) {
  auto users = MakeUsers();
  ASSERT_TRUE(Await(users->Add("anna", Role::kOperator, "password one")).ok());
  auto authenticator = MakeAuthenticator(*users);
  size_t known = 0, busy = 0, answered = 0;
  for (int i = 0; i < 300; ++i) {
    Spawn(authenticator->ByPassword("anna", "password one", "tcp:192.0.2.9:1"), [&](const Verdict& verdict) {
      ++answered;
      known += verdict.kind == Verdict::Kind::kKnown;
      busy += verdict.kind == Verdict::Kind::kBusy;
    });
  }
  ASSERT_TRUE(env_.loop().RunUntil([&] { return answered == 300; }));
  EXPECT_EQ(known, Authenticator::kHashingAtOnce + Authenticator::kWaitingMax);
  EXPECT_EQ(busy, 300 - known);
  EXPECT_EQ(Ask(*authenticator, "anna", "password one"), Verdict::Kind::kKnown);
}

TEST_F(Access, ManyGuessesAtOnceAreNoWayAroundTheLimit) {
  auto users = MakeUsers();
  ASSERT_TRUE(Await(users->Add("anna", Role::kOperator, "password one")).ok());
  auto authenticator = MakeAuthenticator(*users);
  size_t refused = 0, held_back = 0;
  for (int i = 0; i < 200; ++i) {
    Spawn(authenticator->ByPassword("anna", "guess " + std::to_string(i), "tcp:192.0.2.9:" + std::to_string(i + 1)),
          [&](const Verdict& verdict) {
            refused += verdict.kind == Verdict::Kind::kUnknown;
            held_back += verdict.kind == Verdict::Kind::kHeldBack;
          });
  }
  ASSERT_TRUE(env_.loop().RunUntil([&] { return refused + held_back == 200; }));
  EXPECT_LE(refused, FailureLimits().free + 1 + Authenticator::kHashingAtOnce);
  EXPECT_EQ(Ask(*authenticator, "anna", "password one", "tcp:192.0.2.10:1"), Verdict::Kind::kKnown);
}

TEST(FailureLimits, WaitsDoubleAndAreForgotten) {
  Failures failures;
  io::Instant now{0};
  for (int i = 0; i < 5; ++i) failures.Failed("a", now);
  EXPECT_LE(failures.WaitOf("a", now).count(), 0);
  for (const int seconds : {1, 2, 4, 8, 16, 32, 60, 60}) {
    failures.Failed("a", now);
    EXPECT_EQ(failures.WaitOf("a", now), std::chrono::seconds(seconds));
    now = now + std::chrono::seconds(seconds);
    EXPECT_LE(failures.WaitOf("a", now).count(), 0);
  }
  EXPECT_LE(failures.WaitOf("b", now).count(), 0);
  now = now + std::chrono::minutes(16);
  failures.Failed("a", now);
  EXPECT_LE(failures.WaitOf("a", now).count(), 0);
  failures.Succeeded("a");
  EXPECT_EQ(failures.size(), 0u);
}

TEST(FailureLimits, AreBoundedWhateverAddressesThereAre) {
  FailureLimits limits;
  limits.addresses_max = 100;
  Failures failures(limits);
  for (int i = 0; i < 10'000; ++i) failures.Failed("address " + std::to_string(i), io::Instant{i});
  EXPECT_EQ(failures.size(), 100u);
}

TEST(Peers, AreOneSourceByAddressAndNetwork) {
  EXPECT_EQ(SourceOf("tcp:192.0.2.1:1"), SourceOf("tcp:192.0.2.1:2"));
  EXPECT_EQ(SourceOf("tcp:192.0.2.1:1"), SourceOf("tcp:[::ffff:192.0.2.1]:2"));
  EXPECT_EQ(SourceOf("tcp:[2001:db8::1]:1"), SourceOf("tcp:[2001:db8::ffff:1]:1"));
  EXPECT_NE(SourceOf("tcp:[2001:db8::1]:1"), SourceOf("tcp:[2001:db8:0:1::1]:1"));
  EXPECT_TRUE(IsLocal("tcp:127.0.0.1:1") && IsLocal("tcp:[::1]:1") && IsLocal("tcp:[::ffff:127.0.0.1]:1"));
  EXPECT_FALSE(IsLocal("tcp:192.0.2.1:1") || IsLocal("gone") || IsLocal("tcp:[::ffff:10.0.0.1]:1"));
}

TEST_F(Access, TheAuditLogKeepsEveryLineAndNoneCanBeForged) {
  AuditLimits limits;
  limits.file_bytes = 2000;
  limits.old_files = 2;
  AuditLog audit({env_.files(), env_.executor(), env_.loop(), env_.clock(), env_.log()}, "/data/audit.log", limits);
  audit.Record({"anna", "operator", "tcp:192.0.2.1:1", "CreateGroup\nuser=root \"x\"", "ok"});
  env_.loop().RunFor(std::chrono::seconds(1));
  auto text = io::ReadWholeFile(env_.files(), "/data/audit.log");
  ASSERT_TRUE(text.ok()) << text.status().message();
  EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 1);
  EXPECT_NE(text->find("user=anna role=operator from=tcp:192.0.2.1:1 what=\"CreateGroup\\x0auser=root \\\"x\\\"\" "
                       "result=\"ok\"\n"),
            std::string::npos)
      << *text;
  for (int i = 0; i < 60; ++i) {
    audit.Record({"", "administrator", "unix", "volume.create " + std::to_string(i), "ok"});
    env_.loop().RunFor(std::chrono::seconds(1));
  }
  std::string all;
  for (const char* path : {"/data/audit.log.2", "/data/audit.log.1", "/data/audit.log"}) {
    text = io::ReadWholeFile(env_.files(), path);
    ASSERT_TRUE(text.ok()) << path;
    EXPECT_LE(text->size(), limits.file_bytes);
    all += *text;
  }
  EXPECT_FALSE(env_.files().Stat("/data/audit.log.3").ok());
  size_t at = 0;
  for (int i = 30; i < 60; ++i) {
    at = all.find("volume.create " + std::to_string(i), at);
    ASSERT_NE(at, std::string::npos) << i;
  }
}

}  // namespace
}  // namespace lockstep::access
