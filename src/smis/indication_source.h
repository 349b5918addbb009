// What happens to pools, volumes, groups, relationships and jobs, told to the indication service: life cycle, alerts.
//
// Control's changes are only noted when they happen, and only those that somebody wants to hear of; instances are made
// of them later, a few at a time, so that no change takes longer for being watched. What is not stored and so changes
// without a record (a job's percentage, a group relationship's state, a pool's space and health) is compared with what
// it was: with each change that it follows from, and once a second.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "block/space_watch.h"
#include "io/loop.h"
#include "smis/alerts.h"
#include "smis/face.h"
#include "wbem/indications.h"

namespace lockstep::smis {

// The filters that are always there: what clients of SMI-S ask for most.
const std::vector<wbem::FixedFilter>& FixedFilters();

class IndicationSource {
 public:
  // On the control loop. `warn_used`: percent of a pool in use at which there is an alert. All outlive the source.
  IndicationSource(io::Loop& loop, Surroundings surroundings, Identity identity, wbem::IndicationService& service,
                   std::vector<uint32_t> warn_used);
  // REQUIRES: Stop has ended, or Start was never called.
  ~IndicationSource();
  IndicationSource(const IndicationSource&) = delete;
  IndicationSource& operator=(const IndicationSource&) = delete;

  void Start();
  Task<void> Stop();

 private:
  using Change = control::ChangeEvent;
  struct SeenPool {
    wbem::Instance instance;  // empty class: nobody wants to know
    Status state;
    block::SpaceWatch space;
  };
  // A volume whose pool has changed its state, and so its own has.
  struct StateOfVolume {
    catalog::VolumeId id;
    Status before, after;
  };

  void InterestChanged();
  bool Wants(control::ChangeKind kind, std::string_view class_name) const;
  bool IsWanted(const Change& change) const;
  void Note(const Change& change);
  void PumpLater();
  void Pump();
  void Tell(const Change& change);
  void TellLifeCycle(control::ChangeKind kind, wbem::Instance before, wbem::Instance after);
  void TellAlerts(const Change& change);
  void TellVolumeState(const StateOfVolume& volume);
  void Alert(AlertKind kind, const wbem::ObjectPath& element, const std::vector<std::string>& arguments);
  void LookAtGroupRelationships();
  void LookAtJobs();
  void LookAtPools();
  wbem::Instance InstanceOf(const catalog::Record& record) const;
  std::string NameOf(catalog::VolumeId volume) const;
  void ScheduleLook();
  Task<void> Look();

  io::Loop& loop_;
  const std::shared_ptr<const Face> face_;
  wbem::IndicationService& service_;
  const std::vector<uint32_t> warn_used_;
  uint64_t subscription_ = 0;
  // What is wanted, by index of catalog::Record and by kind of change.
  bool wanted_[std::variant_size_v<catalog::Record>][3] = {};
  bool alerts_wanted_ = false;
  std::deque<Change> noted_;
  std::deque<StateOfVolume> volumes_;
  bool pumping_ = false;
  uint64_t left_out_ = 0;
  std::set<catalog::GroupRelationshipId> touched_;  // group relationships whose pairs have changed
  std::map<catalog::GroupRelationshipId, wbem::Instance> groups_;
  std::map<catalog::JobId, catalog::JobRecord> jobs_;  // that run, as last told
  std::map<catalog::PoolId, SeenPool> pools_;
  io::TimerId timer_ = io::TimerId::kNone;
  uint64_t looks_ = 0;
  bool looking_ = false, stopping_ = false;
  io::Closure stopped_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lockstep::smis
