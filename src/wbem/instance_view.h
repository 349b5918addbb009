// Makes an instance as a provider gave it ready to be written: every property of its class once, in the class's order,
// of the declared type, filtered by what the client asked for. Copies no value that is right already.
#pragma once

#include <cstdint>
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

  // `cls` is the class whose provider gave the instance, in `ns`. Fails (CIM_ERR_FAILED) when the provider broke its
  // contract: a class or property that is not declared, a wrong type.
  CimStatus Put(const ClassDecl& cls, const std::string& ns, Instance& instance, Reply& reply);

 private:
  CimStatus Align(const ClassDecl& cls, const Instance& instance);
  CimStatus Place(const ClassDecl& cls, const Instance& instance);
  CimStatus Convert(const ClassDecl& cls, size_t index, const Value& value);
  void SelectProperties(const ClassDecl& cls);
  bool CollectKeys(const ClassDecl& cls, const Instance& instance);

  const Schema& schema_;
  const OperationRequest& request_;
  const ClassDecl* limit_;
  const ClassDecl* selected_for_ = nullptr;
  std::vector<bool> selected_;  // by index of selected_for_'s properties; empty: all
  // Where the instance before had the class's properties: providers write them in the same order each time.
  std::vector<uint32_t> places_;
  std::vector<const Value*> values_;
  std::deque<Value> converted_;
  std::vector<size_t> key_indexes_;
  std::vector<const Value*> keys_;
  ObjectPath place_;  // a path that is only a namespace
};

// The instance's path with its namespace, made from the keys when the provider gave none; moved out of the instance.
ObjectPath PathOf(const ClassDecl& cls, const std::string& ns, Instance& instance);

}  // namespace lockstep::wbem
