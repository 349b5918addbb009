// Goal: the relationship table is what the standard's matrices say, over the whole product of types, states and
// operations; capabilities and documentation are the table's. Method: the matrices are written down here a second time,
// in the notation of the fact sheets, and compared cell by cell.

#include "replication/table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <sstream>

#include "replication/capabilities.h"
#include "replication/derived.h"

namespace lockstep::replication {
namespace {

// Cells by column: Ini Pre Ina Uns Syn Sus Fra Spl Ske Fov Abo Bro Par Inv Res. "x" illegal, "=" no-op, "F" suffix:
// with Force, "gone", "keep": legal and the state stays, "A>B": through A to B, "*": keys swap. A missing row is
// not supported.
using Matrix = std::map<uint16_t, const char*>;

const Matrix kMirror = {
    {2, "x Abo x Abo x Abo x x x x = x x x x"},
    {3, "keep keep keep keep keep keep keep keep keep keep keep x x x keep"},
    {4, "Uns>Syn Uns>Syn Uns>Syn = = x x x x x x x x x x"},
    {5, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {6, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {7, "Ina Ina = InaF Ina Ina x x x x x x x x Ina"},
    {8, "gone gone gone goneF gone goneF gone gone gone gone gone goneF goneF goneF gone"},
    {9, "gone gone gone goneF gone goneF gone gone gone gone gone goneF goneF goneF gone"},
    {10, "x x x FovF Fov FovF FovF Fov FovF = x FovF FovF FovF x"},
    {11, "x x x x x x x x x Uns>Syn x x x x x"},
    {12, "x x x FraF Fra Fra = = x x x x x x Fra"},
    {13, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {14, "x x x = = x Uns>Syn Uns>Syn Uns>Syn x Uns>Syn Uns>Syn x x Uns>Syn"},
    {15, "x x x x x x Res Res Res x x x x x ="},
    {16, "x x x = = Uns>Syn x x x x x x x x Uns>Syn"},
    {17, "keep keep keep keep keep keep keep keep x x x x x x keep"},
    {18, "keep keep keep keep keep keep keep keep x x x x x x keep"},
    {20, "x x x x Syn* Sus* Fra* Spl* x Uns>Syn* x x x x x"},
    {21, "x x x Uns>Spl Spl x x = x x x x x x Spl"},
    {22, "x x x Sus Sus = x x x x x x x x x"},
    {23, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
    {24, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
    {25, "keep keep keep keep keep keep keep keep x x x x x x keep"},
};

const Matrix kSnapshot = {
    {2, "x x x Abo x Abo x x x x = x x x x"},
    {3, "keep keep keep keep keep keep keep keep keep keep keep x x x keep"},
    {4, "Uns>Syn Uns>Syn Uns>Syn = = x x x x x x x x x x"},
    {5, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {6, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {7, "Ina Ina = InaF Ina Ina x x InaF x x x x x Ina"},
    {8, "gone gone gone goneF gone goneF gone gone gone x gone goneF x x gone"},
    {9, "gone gone gone goneF gone goneF gone gone gone x gone goneF x x gone"},
    {12, "x x x x Fra x = = x x x x x x Fra"},
    {13, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {14, "x x x x Uns>Syn x Uns>Syn Uns>Syn Uns>Syn x Uns>Syn Uns>Syn x x Uns>Syn"},
    {15, "x x x x Res x Res Res ResF x x x x x ="},
    {16, "x x x = x Uns>Syn x x x x x x x x x"},
    {19, "gone gone gone gone gone gone gone gone gone x gone gone x x gone"},
    {21, "x x x x Spl x = = x x x x x x Spl"},
    {22, "x x x Sus x = x x x x x x x x x"},
    {23, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
    {24, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
};

const Matrix kClone = {
    {2, "x x x Abo x Abo x x x x = x x x x"},
    {3, "keep keep keep keep keep keep keep keep keep keep keep x x x keep"},
    {4, "Uns>Syn Uns>Syn Uns>Syn = = x x x x x x x x x x"},
    {5, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {6, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {7, "Ina Ina = InaF Ina Ina x x x x x x x x x"},
    {8, "gone gone gone goneF gone goneF gone gone gone x gone goneF x x gone"},
    {9, "gone gone gone goneF gone goneF gone gone gone x gone goneF x x gone"},
    {12, "x x x x Fra x = = x x x x x x x"},
    {13, "keep keep keep keep keep keep keep keep keep keep keep keep keep keep keep"},
    {14, "x x x = Uns>Syn x Uns>Syn Uns>Syn Uns>Syn x Uns>Syn Uns>Syn x x Uns>Syn"},
    {15, "x x x x Res x Res Res ResF x x x x x ="},
    {16, "x x x = x Uns>Syn x x x x x x x x x"},
    {21, "x x x x Spl x = = x x x x x x x"},
    {22, "x x x Sus x = x x x x x x x x x"},
    {23, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
    {24, "Pre = Pre x x x PreF PreF PreF x Pre x x x x"},
};


// The names' first letters are the abbreviations, but for Failedover.
std::string Abbreviate(CopyState state) {
  if (state == CopyState::kFailedover) return "Fov";
  return std::string(catalog::Name(state)).substr(0, 3);
}

std::string Notation(const Verdict& verdict) {
  switch (verdict.legality) {
    case Legality::kNoOp: return "=";
    case Legality::kIllegal: return "x";
    case Legality::kNotSupported: return "not supported";
    case Legality::kLegal:
    case Legality::kNeedsForce: break;
  }
  const bool keeps = verdict.next == CopyState::kNotApplicable;
  std::string text = verdict.gone ? "gone" : keeps ? "keep" : Abbreviate(verdict.next);
  if (verdict.transient != CopyState::kNotApplicable) text = Abbreviate(verdict.transient) + ">" + text;
  if (verdict.swaps_keys) text += "*";
  if (verdict.legality == Legality::kNeedsForce) text += "F";
  return text;
}

TEST(RelationshipTableTest, IsWhatTheMatricesSayOverTheWholeProduct) {
  const std::map<SyncType, const Matrix*> matrices = {
      {SyncType::kMirror, &kMirror}, {SyncType::kSnapshot, &kSnapshot}, {SyncType::kClone, &kClone}};
  size_t cells = 0;
  for (const auto& [type, matrix] : matrices) {
    for (uint16_t number = kFirstOperation; number <= kLastOperation; ++number) {
      const auto row = matrix->find(number);
      std::istringstream expected(row == matrix->end() ? "" : row->second);
      for (const CopyState state : kColumns) {
        std::string cell = "not supported";
        if (row != matrix->end()) expected >> cell;
        EXPECT_EQ(Notation(Decide(type, state, static_cast<Operation>(number))), cell)
            << catalog::Name(type) << ", " << catalog::Name(static_cast<Operation>(number)) << " from "
            << catalog::Name(state);
        ++cells;
      }
    }
  }
  EXPECT_EQ(cells, 3u * 24 * 15);
}

TEST(RelationshipTableTest, OnlyGroupsHaveMembershipAndConsistency) {
  for (uint16_t number = kFirstOperation; number <= kLastOperation; ++number) {
    const bool group_only = number == 3 || number == 5 || number == 6 || number == 13;
    const Verdict verdict = Decide(SyncType::kSnapshot, CopyState::kSynchronized, static_cast<Operation>(number));
    if (verdict.legality == Legality::kNotSupported) continue;
    EXPECT_EQ(verdict.scopes == Scopes::kGroupOnly, group_only) << number;
  }
}

TEST(RelationshipTableTest, KnowsNothingOfNumbersOutsideTheSchema) {
  EXPECT_EQ(Decide(static_cast<SyncType>(5), CopyState::kSynchronized, Operation::kDetach).legality,
            Legality::kNotSupported);
  EXPECT_EQ(Decide(SyncType::kClone, CopyState::kMixed, Operation::kDetach).legality, Legality::kIllegal);
  EXPECT_EQ(Decide(SyncType::kClone, CopyState::kSynchronized, static_cast<Operation>(26)).legality,
            Legality::kNotSupported);
  EXPECT_EQ(Decide(SyncType::kClone, CopyState::kSynchronized, static_cast<Operation>(1)).legality,
            Legality::kNotSupported);
}

TEST(RelationshipTableTest, WhatBecomesInaccessibleUnderAHostNeedsForce) {
  for (const SyncType type : {SyncType::kSnapshot, SyncType::kClone}) {
    for (uint16_t number = kFirstOperation; number <= kLastOperation; ++number) {
      for (const CopyState state : kColumns) {
        const Verdict verdict = Decide(type, state, static_cast<Operation>(number));
        const bool happens = verdict.legality == Legality::kLegal && verdict.next != CopyState::kNotApplicable;
        if (!happens || !HostAccess(type, state) || HostAccess(type, verdict.next)) continue;
        EXPECT_EQ(verdict.host_rule, HostRule::kTargetInUse)
            << catalog::Name(type) << " " << catalog::Name(state) << " " << number;
      }
    }
  }
}

TEST(RelationshipTableTest, EveryStateThatIsMetCanBeLeft) {
  for (const SyncType type : {SyncType::kSnapshot, SyncType::kClone}) {
    for (const CopyState state : kColumns) {
      if (!IsMet(type, state)) continue;
      EXPECT_NE(Decide(type, state, Operation::kDetach).legality, Legality::kIllegal) << catalog::Name(state);
    }
  }
}

TEST(CapabilitiesTest, AnswerFromTheTable) {
  for (const ReplicationType type : SupportedReplicationTypes()) {
    const SyncType sync_type = FromReplicationType(type)->sync_type;
    for (const Scope scope : {Scope::kElement, Scope::kGroup}) {
      for (const SupportedOperation& one : SupportedOperations(type, scope)) {
        const auto states = SupportedCopyStates(type, scope, one.operation);
        EXPECT_FALSE(states.empty()) << catalog::Name(one.operation);
        for (const SupportedCopyState& state : states) {
          const Legality legality = Decide(sync_type, state.state, one.operation).legality;
          EXPECT_TRUE(legality != Legality::kIllegal && legality != Legality::kNotSupported);
          EXPECT_EQ(state.host_accessible, HostAccess(sync_type, state.state));
        }
        EXPECT_FALSE(one.updates_synchronized_path);
      }
    }
  }
}

bool Offers(const std::vector<SupportedOperation>& operations, Operation operation) {
  return std::any_of(operations.begin(), operations.end(), [&](const auto& one) { return one.operation == operation; });
}

TEST(CapabilitiesTest, AdvertiseNothingThatIsRefused) {
  const auto snapshot = SupportedOperations(ReplicationType::kSynchronousSnapshotLocal, Scope::kElement);
  const auto clone = SupportedOperations(ReplicationType::kAsynchronousCloneLocal, Scope::kElement);
  const auto list = SupportedListOperations(ReplicationType::kAsynchronousCloneLocal, Scope::kGroup);
  EXPECT_TRUE(Offers(snapshot, Operation::kReturnToResourcePool));
  EXPECT_FALSE(Offers(clone, Operation::kReturnToResourcePool));
  EXPECT_FALSE(Offers(clone, Operation::kFailover));
  EXPECT_FALSE(Offers(clone, Operation::kAddSyncPair)) << "for groups only";
  EXPECT_TRUE(Offers(SupportedOperations(ReplicationType::kAsynchronousCloneLocal, Scope::kGroup),
                     Operation::kAddSyncPair));
  EXPECT_FALSE(Offers(list, Operation::kAddSyncPair)) << "not for lists";
  EXPECT_TRUE(SupportedOperations(static_cast<ReplicationType>(2), Scope::kElement).empty());
}

TEST(CapabilitiesTest, ForceIsAskedForWhereTheStateAsksForIt) {
  const auto from = [](CopyState state) {
    return SupportedOperations(ReplicationType::kSynchronousSnapshotLocal, Scope::kElement, state);
  };
  const auto requires_force = [&](CopyState state, Operation operation) {
    for (const SupportedOperation& one : from(state)) {
      if (one.operation == operation) return one.requires_force;
    }
    ADD_FAILURE() << "not offered";
    return false;
  };
  EXPECT_TRUE(requires_force(CopyState::kUnsynchronized, Operation::kDetach));
  EXPECT_FALSE(requires_force(CopyState::kSynchronized, Operation::kDetach));
}

TEST(CapabilitiesTest, TypesConvertThereAndBack) {
  for (const ReplicationType type : SupportedReplicationTypes()) {
    const SyncTypeAndMode what = *FromReplicationType(type);
    EXPECT_EQ(*ToReplicationType(what.sync_type, what.mode, false), type);
    EXPECT_EQ(ToReplicationType(what.sync_type, what.mode, true).status().code(), Code::kNotSupported);
  }
  EXPECT_EQ(FromReplicationType(static_cast<ReplicationType>(4)).status().code(), Code::kNotSupported);
  EXPECT_EQ(FromReplicationType(static_cast<ReplicationType>(99)).status().code(), Code::kInvalidArgument);
}

TEST(CapabilitiesTest, DefaultSettingsAreAccepted) {
  for (const ReplicationType type : SupportedReplicationTypes()) {
    const Status accepted = CheckSettings(DefaultSettings(type));
    EXPECT_TRUE(accepted.ok()) << accepted.ToString();
  }
}

TEST(CapabilitiesTest, WhatCanBeWaitedForIsWhatIsReached) {
  const ReplicationType clone = ReplicationType::kAsynchronousCloneLocal;
  using S = CopyState;
  EXPECT_EQ(WaitForCopyStates(clone, 2),
            (std::vector{S::kInitialized, S::kUnsynchronized, S::kSynchronized, S::kInactive, S::kPrepared}));
  EXPECT_EQ(WaitForCopyStates(clone, 4, Operation::kSplit), std::vector{S::kSplit});
  EXPECT_EQ(WaitForCopyStates(clone, 4, Operation::kResyncReplica),
            (std::vector{S::kUnsynchronized, S::kSynchronized}));
  EXPECT_TRUE(WaitForCopyStates(clone, 4, Operation::kDetach).empty());
}

TEST(DerivedTest, OnlyWhatIsCompleteIsAHundredPercent) {
  catalog::RelationshipRecord pair;
  pair.state = CopyState::kUnsynchronized;
  pair.copied = 999'999;
  EXPECT_EQ(PercentSynced(pair, 1'000'000), 99);
  pair.state = CopyState::kSynchronized;
  EXPECT_EQ(PercentSynced(pair, 1'000'000), 100);
  pair.state = CopyState::kInactive;
  EXPECT_EQ(PercentSynced(pair, 1'000'000), 0);
}

TEST(DocumentationTest, TheTablesPageIsTheGeneratedOne) {
  std::FILE* file = std::fopen(LOCKSTEP_DOCS_DIR "/interfaces/replication-table.md", "rb");
  ASSERT_NE(file, nullptr);
  std::string page(1 << 20, '\0');
  page.resize(std::fread(page.data(), 1, page.size(), file));
  std::fclose(file);
  EXPECT_EQ(page, TableAsMarkdown()) << "write it anew: lockstep-docs > docs/interfaces/replication-table.md";
}

}  // namespace
}  // namespace lockstep::replication
