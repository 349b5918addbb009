#include "tests/unit/wbem/demo/demo_model.h"

#include "base/assert.h"
#include "wbem/server_classes.h"

namespace lockstep::wbem::demo {

const char* const kDemoMof = R"mof(
// The schema of the tests.
#pragma locale ("en_US")
Qualifier Key : boolean = false, Scope(property, reference), Flavor(DisableOverride, ToSubclass);
Qualifier Values : string[], Scope(property, method, parameter), Flavor(EnableOverride, ToSubclass, Translatable);
Qualifier Description : string = null, Scope(any), Flavor(EnableOverride, ToSubclass, Translatable);

[Abstract, Version ("1.0.0"), Description ("Anything " "that has a name.")]
class Demo_Element {
   [Description ("What people call it. <&\"'>")] string ElementName;
};

[Description ("Holds books.")]
class Demo_Shelf : Demo_Element {
   [Key] string Id;
   uint8 Width = 0x50;
};

class Demo_Item : Demo_Element {
   [Key, MaxLen (17)] string Isbn;
   [Override ("ElementName"), Required] string ElementName;
   [Write, Units ("Pages")] uint16 Pages;
   [Write] string Authors[];
   [ValueMap { "2", "3" }, Values { "On Shelf", "Lent" }] uint16 State = 2;
   datetime Printed;
   datetime LoanTime;
   sint32 Balance = -5;
   real64 Weight;
   real32 Rating;
   boolean Rare;
   char16 Initial;
   uint64 Serial;
   string Notes;
   uint8 Empty[];
   uint32 Missing;
   [EmbeddedInstance ("Demo_Loan")] string LastLoan;
   [EmbeddedObject] string Nothing[];
};

class Demo_Book : Demo_Item {
   uint32 Remove([In] boolean Force);
};
class Demo_Atlas : Demo_Book { uint32 Scale; };

class Demo_Loan {
   string Reader;
   uint16 Days;
   Demo_Item REF Item;
   datetime Since;
   [EmbeddedInstance ("Demo_Loan")] string Previous;
};

[Association]
class Demo_Holds {
   [Key] Demo_Shelf REF Shelf;
   [Key] Demo_Item REF Item;
   uint16 Place;
};

class Demo_Librarian : Demo_Element {
   [Key] string Name;
   [EmbeddedObject] string Anything[];

   [Description ("Lends an item.")]
   uint32 Lend(
      [In, Required] Demo_Item REF Item,
      [In] uint16 Days,
      [In (false), Out] datetime Due,
      [In (false), Out, EmbeddedInstance ("Demo_Loan")] string Loan);
   [Static] uint32 CountBooks([In] string Shelf, [Out, In (false)] uint64 Count);
   uint32 Echo(
      [In, Out] boolean B, [In, Out] uint8 U8, [In, Out] sint64 S64, [In, Out] real64 R, [In, Out] string S,
      [In, Out] datetime D, [In, Out] char16 C, [In, Out] Demo_Element REF Ref, [In, Out] string Strings[],
      [In, Out] uint16 Numbers[], [In, Out] Demo_Element REF Refs[],
      [In, Out, EmbeddedInstance ("Demo_Loan")] string Loan,
      [In, Out, EmbeddedInstance ("Demo_Loan")] string Loans[]);
   uint32 NotBuilt();
};

[Association, Abstract] class Demo_Link { [Key] Demo_Element REF From; [Key] Demo_Element REF To; };
)mof";

const char* const kInteropMof = R"mof(
class CIM_ObjectManager {
   [Key] string SystemCreationClassName; [Key] string SystemName; [Key] string CreationClassName; [Key] string Name;
   string ElementName; string Description; uint16 OperationalStatus[]; boolean Started;
};
class CIM_Namespace {
   [Key] string SystemCreationClassName; [Key] string SystemName; [Key] string ObjectManagerCreationClassName;
   [Key] string ObjectManagerName; [Key] string CreationClassName; [Key] string Name;
   uint16 ClassInfo;
};
[Association] class CIM_NamespaceInManager {
   [Key] CIM_ObjectManager REF Antecedent; [Key] CIM_Namespace REF Dependent;
};
)mof";

ObjectPath BookPath(const std::string& isbn) { return {kNamespace, "Demo_Book", {{"Isbn", Value(isbn)}}}; }
ObjectPath ShelfPath(const std::string& id) { return {kNamespace, "Demo_Shelf", {{"Id", Value(id)}}}; }

namespace {

class ShelfProvider final : public Provider {
 public:
  explicit ShelfProvider(DemoServer& server) : server_(server) {}
  Status Enumerate(const RequestContext&, const InstanceSink& sink) override {
    for (const std::string& id : server_.shelves)
      if (!sink(Instance("Demo_Shelf").Add("Id", Value(id)).Add("ElementName", Value("Shelf " + id)))) break;
    if (server_.shelves_fail) return Internal("the shelves have fallen over");
    return {};
  }

 private:
  DemoServer& server_;
};

class BookProvider final : public Provider {
 public:
  explicit BookProvider(DemoServer& server) : server_(server) {}

  Series<Instance> Instances(RequestContext) override {
    for (auto it = server_.books.begin(); it != server_.books.end();) {
      const std::string isbn = it->first;
      Instance book = ToInstance(isbn, it->second);
      co_yield book;
      it = server_.books.upper_bound(isbn);  // books may have come and gone since
    }
    co_return Status();
  }
  Result<Instance> Get(const RequestContext&, const ObjectPath& path) override {
    const auto it = server_.books.find(std::string(path.KeyText("Isbn")));
    if (it == server_.books.end()) return NotFound(path.ToString() + " does not exist");
    return ToInstance(it->first, it->second);
  }
  Task<Result<ObjectPath>> Create(RequestContext, Instance instance) override {
    const std::string* isbn = instance["Isbn"].AsString();
    if (!isbn) co_return InvalidArgument("a book needs its Isbn");
    if (server_.books.contains(*isbn)) co_return AlreadyExists("book " + *isbn + " is here already");
    Apply(server_.books[*isbn], instance.properties);
    co_return BookPath(*isbn);
  }
  Task<Status> Modify(RequestContext, ObjectPath path, std::vector<Property> changes) override {
    for (const Property& p : changes)
      if (p.name != "Pages" && p.name != "Authors") co_return InvalidArgument("property " + p.name.str()
          + " cannot be changed");
    Apply(server_.books[std::string(path.KeyText("Isbn"))], changes);
    co_return Status();
  }
  Task<Status> Delete(RequestContext, ObjectPath path) override {
    server_.books.erase(std::string(path.KeyText("Isbn")));
    co_return Status();
  }

 private:
  static void Apply(DemoServer::Book& book, const std::vector<Property>& properties) {
    for (const Property& p : properties) {
      if (p.name == "ElementName") book.title = p.value.ToText();
      if (p.name == "Pages") book.pages = static_cast<uint16_t>(p.value.AsUnsigned().value_or(0));
      if (p.name != "Authors" || !p.value.AsArray()) continue;
      book.authors.clear();
      for (const Value& a : *p.value.AsArray()) book.authors.push_back(a.ToText());
    }
  }
  static Instance ToInstance(const std::string& isbn, const DemoServer::Book& book) {
    Instance older("Demo_Loan");
    older.Add("Reader", Value("Zoë <z@example.org>")).Add("Days", Value(uint16_t{7}));
    Instance loan("Demo_Loan");
    loan.Add("Reader", Value("A & B")).Add("Item", Value(BookPath(isbn))).Add("Previous", Value(older));
    Instance i("Demo_Book");
    i.Add("Isbn", Value(isbn)).Add("ElementName", Value(book.title)).Add("Pages", Value(uint32_t{book.pages}));
    i.Add("Authors", Value::Array(book.authors)).Add("Rare", Value(true)).Add("Initial", Value(u'ß'));
    i.Add("Printed", Value(Datetime::Timestamp(1'000'000'000'000'000, 60)));
    i.Add("LoanTime", Value(Datetime::Interval(15'000'000))).Add("Weight", Value(1.5)).Add("Rating", Value(4.0f));
    i.Add("Serial", Value(uint64_t{18446744073709551615ull})).Add("Notes", Value("")).Add("LastLoan", Value(loan));
    i.Add("Empty", Value::Array(std::vector<uint8_t>{}));
    return i;
  }

  DemoServer& server_;
};

class LibrarianProvider final : public Provider {
 public:
  explicit LibrarianProvider(DemoServer& server) : server_(server) {}
  Status Enumerate(const RequestContext&, const InstanceSink& sink) override {
    Instance ada("Demo_Librarian");
    ada.Add("Name", Value("Ada")).Add("Anything", Value::Array(std::vector<Instance>{Instance("Demo_Loan"),
        Instance("Demo_Loan")}));
    sink(std::move(ada));
    return {};
  }
  Task<Result<MethodResult>> Invoke(MethodCall call) override {
    if (call.method->name == "Lend") co_return Lend(call);
    if (call.method->name == "CountBooks")
      co_return MethodResult{Value(0), {{"Count", Value(static_cast<uint64_t>(server_.books.size()))}}};
    if (call.method->name == "Echo") co_return MethodResult{Value(uint32_t{0}), call.in};
    co_return NotSupported("method " + call.method->name + " is not built yet");
  }

 private:
  static MethodResult Lend(const MethodCall& call) {
    if (!call.Has("Item")) return {Value(5), {}};
    const uint64_t days = call["Days"].AsUnsigned().value_or(14);
    Instance loan("Demo_Loan");
    loan.Add("Item", call["Item"]).Add("Days", Value(static_cast<uint16_t>(days)));
    return {Value(0), {{"Due", Value(Datetime::Interval(days * 86'400'000'000))}, {"Loan", Value(loan)}}};
  }

  DemoServer& server_;
};

PairSource HoldsSource(const DemoServer& server) {
  return [&server](const ObjectPath*, const PairSink& sink) {
    uint16_t place = 0;
    for (const auto& [isbn, book] : server.books)
      if (!sink({ShelfPath(book.shelf), BookPath(isbn), {{"Place", Value(++place)}}})) break;
    return Status();
  };
}

}  // namespace

DemoServer::DemoServer(Enumerations* enumerations) {
  shelves = {"A", "B"};
  books["1"] = {"Håndbog <i>", 100, {"Knuth", "O'Neil \"x\""}, "A"};
  books["2"] = {"漢字 𝄞", 200, {}, "A"};
  books["3"] = {"Plain", 300, {"X"}, "B"};
  const MofText texts[] = {{"demo.mof", kDemoMof}};
  const MofText interop[] = {{"interop.mof", kInteropMof}};
  const auto must = [](const Status& s) { LS_ASSERT(s.ok()); };
  must(schema.Load(kNamespace, texts));
  must(schema.Load(kInterop, interop));
  registry = std::make_unique<ProviderRegistry>(schema);
  must(registry->Add(kNamespace, "Demo_Shelf", std::make_shared<ShelfProvider>(*this)));
  must(registry->Add(kNamespace, "Demo_Book", std::make_shared<BookProvider>(*this)));
  must(registry->Add(kNamespace, "Demo_Librarian", std::make_shared<LibrarianProvider>(*this)));
  must(registry->Add(kNamespace, "Demo_Holds", MakePairAssociation("Shelf", "Item", HoldsSource(*this))));
  must(RegisterServerClasses(*registry, kInterop, {"Demo_System", "demo", "demo:1", "Demo", "Demo version 1.2.3"}));
  core = std::make_unique<OperationCore>(*registry, enumerations);
  endpoint = std::make_unique<CimXmlEndpoint>(*core, "demo.example");
}

}  // namespace lockstep::wbem::demo
