// Makes an instance as a provider gave it ready to be written: every property of its class once, in the class's order,
// of the declared type, filtered by what the client asked for. Copies no value that is right already.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "wbem/errors.h"
#include "wbem/operations.h"
#include "wbem/provider.h"

namespace lockstep::wbem {

class InstanceDelivery {
 public:
  // All references outlive the object. Properties that `request` does not want are left out; with `limit`, so are those
  // that class does not have.
  InstanceDelivery(const Schema& schema, const OperationRequest& request, const ClassDecl* limit)
      : schema_(schema), request_(request), limit_(limit) {}

  // Fails (CIM_ERR_FAILED) when the provider broke its contract: a class or property that is not declared, a wrong
  // type.
  CimStatus Put(const RequestContext& context, Instance instance, Reply& reply);

 private:
  CimStatus Align(const ClassDecl& cls, const Instance& instance);
  void SelectProperties(const ClassDecl& cls);

  const Schema& schema_;
  const OperationRequest& request_;
  const ClassDecl* limit_;
  const ClassDecl* selected_for_ = nullptr;
  std::vector<bool> selected_;  // by index of selected_for_'s properties; empty: all
  std::vector<const Value*> values_;
  std::deque<Value> converted_;
};

// The instance's path with its namespace, made from the keys when the provider gave none.
ObjectPath PathOf(const RequestContext& context, const ClassDecl& cls, Instance& instance);

}  // namespace lockstep::wbem
