// The classes with which clients subscribe to indications, as DSP1054 has them: CIM_IndicationFilter,
// CIM_ListenerDestinationCIMXML (also under its old name CIM_IndicationHandlerCIMXML) and CIM_IndicationSubscription,
// in every namespace that declares them; and in the Interop namespace CIM_IndicationService with its capabilities.
#pragma once

#include <string>

#include "base/status.h"
#include "wbem/indications.h"
#include "wbem/provider.h"

namespace lockstep::wbem {

// `service` outlives the registry.
Status RegisterIndicationClasses(ProviderRegistry& registry, const std::string& interop, IndicationService& service);

// The path of the CIM_IndicationService.
ObjectPath IndicationServicePath(const std::string& interop, const ServerIdentity& identity);

}  // namespace lockstep::wbem
