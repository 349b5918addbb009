// job.*.
#include <nlohmann/json.hpp>

#include "admin/fields.h"
#include "admin/lookup.h"
#include "admin/methods.h"
#include "admin/render.h"

namespace lockstep::admin {

using catalog::JobRecord;
using control::Control;

namespace {

Result<JobRecord> ReadJob(Fields& fields, const Control& control) {
  const std::string job = fields.String("job");
  LS_RETURN_IF_ERROR(fields.Finish());
  return FindJob(control, job);
}

Answer ListJobs(Context& context, Params params) {
  LS_CO_RETURN_IF_ERROR(Fields(*params).Finish());
  const Renderer renderer(context.control);
  Json list = Json::array();
  for (const JobRecord& record : context.control.Jobs()) list.push_back(renderer.Job(record));
  co_return list;
}

Answer ShowJob(Context& context, Params params) {
  Fields fields(*params);
  LS_CO_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(fields, context.control));
  co_return Renderer(context.control).Job(record);
}

// Follows one job: reports every change of it and ends with it. Lives inside the task of job.watch.
class Watch {
 public:
  Watch(Context& context, JobRecord job) : context_(context), job_(std::move(job)) {
    subscription_ = context_.control.Subscribe([this](const control::ChangeEvent& event) { See(event); });
  }
  ~Watch() {
    context_.OnEnd(nullptr);
    context_.control.Unsubscribe(subscription_);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Ends when the job has, or is deleted, or the connection is gone.
  auto Ended(io::Loop& loop) {
    return SuspendWith([this, &loop](auto resume) {
      // Posted, because a listener must not change anything from within, and what follows may.
      wake_ = [&loop, resume = std::move(resume)]() mutable { loop.Post(std::move(resume)); };
      context_.OnEnd([this] { Wake(); });
      if (over_) Wake();
    });
  }
  const JobRecord& job() const { return job_; }
  bool deleted() const { return deleted_; }
  void Report() { context_.Emit("job.progress", Renderer(context_.control).Job(job_)); }

 private:
  void See(const control::ChangeEvent& event) {
    const auto* before = event.before ? std::get_if<JobRecord>(&*event.before) : nullptr;
    const auto* after = event.after ? std::get_if<JobRecord>(&*event.after) : nullptr;
    if (after != nullptr && after->id == job_.id) {
      job_ = *after;
      Report();
    } else if (before == nullptr || after != nullptr || before->id != job_.id) {
      return;
    }
    deleted_ = after == nullptr;
    if (deleted_ || catalog::IsFinal(job_.state)) Wake();
  }
  void Wake() {
    over_ = true;
    if (auto wake = std::exchange(wake_, nullptr)) wake();
  }

  Context& context_;
  JobRecord job_;
  uint64_t subscription_ = 0;
  bool over_ = false;
  bool deleted_ = false;
  std::move_only_function<void()> wake_;
};

Answer WatchJob(Context& context, Params params) {
  Fields fields(*params);
  LS_CO_ASSIGN_OR_RETURN(JobRecord record, ReadJob(fields, context.control));
  if (catalog::IsFinal(record.state)) co_return Renderer(context.control).Job(record);
  Watch watch(context, std::move(record));
  watch.Report();
  co_await watch.Ended(context.loop);
  const bool job_over = watch.deleted() || catalog::IsFinal(watch.job().state);
  if (!job_over) co_return Cancelled("the connection ends or the daemon stops; the job goes on, or will after a start");
  co_return Renderer(context.control).Job(watch.job());
}

// The methods that do one thing to a job and answer the job as it is then, or {} when it is gone.
template <Task<Status> (Control::*act)(catalog::JobId)>
Answer Act(Context& context, Params params) {
  Fields fields(*params);
  LS_CO_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(fields, context.control));
  LS_CO_RETURN_IF_ERROR(co_await (context.control.*act)(record.id));
  const auto now = context.control.Job(record.id);
  if (!now.ok()) co_return Json::object();
  co_return Renderer(context.control).Job(*now);
}

Answer SetRetention(Context& context, Params params) {
  Fields fields(*params);
  const auto delete_on_completion = fields.OptionalBool("delete_on_completion");
  const uint64_t unset = ~uint64_t{0};
  const uint64_t before_removal_us = fields.Number("time_before_removal_us", unset);
  LS_CO_ASSIGN_OR_RETURN(const JobRecord record, ReadJob(fields, context.control));
  const Status set = co_await context.control.SetJobRetention(
      record.id, delete_on_completion.value_or(record.delete_on_completion),
      before_removal_us == unset ? record.time_before_removal_us : before_removal_us);
  if (!set.ok()) co_return set;
  LS_CO_ASSIGN_OR_RETURN(const JobRecord now, context.control.Job(record.id));
  co_return Renderer(context.control).Job(now);
}

}  // namespace

std::span<const Method> JobMethods() {
  static constexpr Method kMethods[] = {
      {"job.list", ListJobs},
      {"job.show", ShowJob},
      {"job.watch", WatchJob},
      {"job.cancel", Act<&Control::CancelJob>},
      {"job.suspend", Act<&Control::SuspendJob>},
      {"job.resume", Act<&Control::ResumeJob>},
      {"job.delete", Act<&Control::DeleteJob>},
      {"job.set_retention", SetRetention},
  };
  return kMethods;
}

}  // namespace lockstep::admin
