"""pywbem against the demo model: pywbem_client.py URL. Run by clients_test.py with a Python that has pywbem."""
import datetime
import sys
import unittest

import pywbem
from pywbem import CIMDateTime, CIMError, CIMInstance, CIMInstanceName, CIMParameter, CIMProperty
from pywbem import Sint64, Uint8, Uint16

URL = sys.argv.pop()


def name(cls, **keys):
    return CIMInstanceName(cls, keybindings=keys, namespace="root/demo")


class Pywbem(unittest.TestCase):
    def setUp(self):
        self.c = pywbem.WBEMConnection(URL, default_namespace="root/demo", timeout=20)
        self.addCleanup(self.c.close)

    def fails(self, code, call, *args, **kwargs):
        with self.assertRaises(CIMError) as raised:
            call(*args, **kwargs)
        self.assertEqual(raised.exception.status_code, code)

    def test_server_discovery(self):
        server = pywbem.WBEMServer(self.c)
        self.assertEqual(server.interop_ns, "interop")
        self.assertEqual(sorted(server.namespaces), ["interop", "root/demo"])
        self.assertEqual(server.brand, "Demo")
        self.assertEqual(server.version, "1.2.3")

    def test_every_instance_is_read_back_by_its_path(self):
        for path in self.c.EnumerateInstanceNames("Demo_Element"):
            instance = self.c.GetInstance(path)
            listed = [i for i in self.c.EnumerateInstances(path.classname) if i.path == path]
            self.assertEqual([instance], listed)
        for path in self.c.EnumerateInstanceNames("Demo_Holds"):
            instance = self.c.GetInstance(path)
            self.assertEqual(instance["Shelf"], path["Shelf"])

    def test_values(self):
        book = self.c.GetInstance(name("Demo_Book", Isbn="1"))
        self.assertEqual(book["ElementName"], "Håndbog <i>")
        self.assertEqual(book["Authors"], ["Knuth", 'O\'Neil "x"'])
        self.assertEqual(book["Serial"], 2**64 - 1)
        self.assertEqual(book["Notes"], "")
        self.assertEqual(book["Empty"], [])
        self.assertIsNone(book["Missing"])
        self.assertEqual(book["LoanTime"], CIMDateTime(datetime.timedelta(seconds=15)))
        self.assertEqual(book["Printed"], CIMDateTime("20010909024640.000000+060"))
        self.assertEqual(book["Initial"], "ß")
        loan = book["LastLoan"]
        self.assertIsInstance(loan, CIMInstance)
        self.assertEqual(loan["Reader"], "A & B")
        self.assertEqual(loan["Previous"]["Reader"], "Zoë <z@example.org>")
        self.assertEqual(loan["Item"], name("Demo_Book", Isbn="1"))
        ada = self.c.GetInstance(name("Demo_Librarian", Name="Ada"))
        self.assertEqual([o.classname for o in ada["Anything"]], ["Demo_Loan"] * 2)

    def test_options(self):
        i = self.c.GetInstance(name("Demo_Book", Isbn="1"), PropertyList=["Pages"], IncludeClassOrigin=True)
        self.assertEqual(list(i.keys()), ["Pages"])
        self.assertEqual(i.properties["Pages"].class_origin, "Demo_Item")
        shallow = self.c.EnumerateInstances("Demo_Element", DeepInheritance=False)
        self.assertTrue(all(list(i.keys()) == ["ElementName"] for i in shallow))

    def test_classes(self):
        cls = self.c.GetClass("Demo_Librarian", LocalOnly=False)
        self.assertEqual(cls.methods["Lend"].parameters["Item"].reference_class, "Demo_Item")
        self.assertTrue(cls.properties["Name"].qualifiers["Key"].value)
        self.assertIn("Demo_Atlas", self.c.EnumerateClassNames(DeepInheritance=True))
        self.assertEqual(len(self.c.EnumerateClasses(ClassName="Demo_Item", DeepInheritance=True)), 2)
        self.fails(6, self.c.GetClass, "No")

    def test_associations(self):
        shelf = name("Demo_Shelf", Id="A")
        books = self.c.Associators(shelf, AssocClass="Demo_Holds", ResultClass="Demo_Book", Role="Shelf",
            ResultRole="Item")
        self.assertEqual(sorted(b["Isbn"] for b in books), ["1", "2"])
        self.assertEqual(len(self.c.AssociatorNames(shelf)), 2)
        for reference in self.c.References(name("Demo_Book", Isbn="1")):
            self.assertEqual(reference["Shelf"], shelf)
        self.assertEqual(len(self.c.ReferenceNames(shelf, ResultClass="Demo_Holds")), 2)
        self.assertTrue(self.c.AssociatorNames("Demo_Book"))
        self.fails(6, self.c.AssociatorNames, name("Demo_Shelf", Id="none"))

    def test_changes(self):
        path = self.c.CreateInstance(CIMInstance("Demo_Book", {"Isbn": "x<&>", "ElementName": "t"}))
        self.addCleanup(lambda: None)
        book = self.c.GetInstance(path)
        book["Pages"] = Uint16(9)
        self.c.ModifyInstance(book)
        self.assertEqual(self.c.GetInstance(path)["Pages"], 9)
        book["Rare"] = False
        self.fails(4, self.c.ModifyInstance, book)
        self.fails(11, self.c.CreateInstance, CIMInstance("Demo_Book", {"Isbn": "x<&>"}))
        self.c.DeleteInstance(path)
        self.fails(6, self.c.GetInstance, path)

    def test_methods(self):
        ada = name("Demo_Librarian", Name="Ada")
        rc, out = self.c.InvokeMethod("Lend", ada, Item=name("Demo_Book", Isbn="2"), Days=Uint16(2))
        self.assertEqual((rc, out["Due"]), (0, CIMDateTime(datetime.timedelta(days=2))))
        self.assertEqual(out["Loan"]["Days"], 2)
        rc, out = self.c.InvokeMethod("CountBooks", "Demo_Librarian")
        self.assertEqual((rc, out["Count"]), (0, 3))
        self.fails(4, self.c.InvokeMethod, "Lend", ada, Days="two")
        self.fails(4, self.c.InvokeMethod, "Lend", "Demo_Librarian")
        self.fails(16, self.c.InvokeMethod, "NotBuilt", ada)
        self.fails(17, self.c.InvokeMethod, "NoSuch", ada)

    def test_every_type_of_parameter_comes_back(self):
        inner = CIMInstance("Demo_Loan", {"Reader": "<in>&ner", "Days": Uint16(1)})
        loan = CIMInstance("Demo_Loan", [CIMProperty("Previous", inner, embedded_object="instance"),
                                         CIMProperty("Item", name("Demo_Book", Isbn="1"))])
        sent = {"B": True, "U8": Uint8(255), "S64": Sint64(-2**63), "R": pywbem.Real64(1.25), "S": "ü\n\"'<",
                "D": CIMDateTime("20260101000000.000000+000"), "Ref": name("Demo_Book", Isbn="1"),
                "Strings": ["a", "", "b"], "Numbers": [Uint16(1), Uint16(65535)],
                "Refs": [name("Demo_Book", Isbn="1"), name("Demo_Shelf", Id="A")], "Loan": loan}
        params = [CIMParameter("Strings", "string", value=[], is_array=True)]
        rc, out = self.c.InvokeMethod("Echo", name("Demo_Librarian", Name="Ada"), **sent)
        self.assertEqual(rc, 0)
        for key, value in sent.items():
            if key != "Loan":
                self.assertEqual(out[key], value, key)
        self.assertEqual(out["Loan"]["Previous"]["Reader"], "<in>&ner")
        rc, out = self.c.InvokeMethod("Echo", name("Demo_Librarian", Name="Ada"), Params=params)
        self.assertEqual(out["Strings"], [])
        rc, out = self.c.InvokeMethod("Echo", name("Demo_Librarian", Name="Ada"), Loans=[inner, inner])
        self.assertEqual([l["Days"] for l in out["Loans"]], [1, 1])

    def test_open_and_pull(self):
        pulled = self.c.OpenEnumerateInstances("Demo_Book", MaxObjectCount=1)
        self.assertFalse(pulled.eos)
        self.assertEqual(len(pulled.instances), 1)
        rest = self.c.PullInstancesWithPath(pulled.context, MaxObjectCount=10)
        self.assertTrue(rest.eos)
        self.assertEqual(pulled.instances + rest.instances, self.with_host(self.c.EnumerateInstances("Demo_Book")))
        self.fails(21, self.c.PullInstancesWithPath, pulled.context, MaxObjectCount=1)
        context = self.c.OpenEnumerateInstancePaths("Demo_Element").context
        self.c.CloseEnumeration(context)
        self.fails(21, self.c.CloseEnumeration, context)
        found = self.c.OpenEnumerateInstances("Demo_Book", FilterQueryLanguage="DMTF:FQL",
                                              FilterQuery="Isbn > '1' AND ElementName LIKE 'P.*'", MaxObjectCount=9)
        self.assertEqual([b["Isbn"] for b in found.instances], ["3"])
        self.fails(22, self.c.OpenEnumerateInstances, "Demo_Book", OperationTimeout=100000)
        self.fails(14, self.c.OpenEnumerateInstances, "Demo_Book", FilterQueryLanguage="no", FilterQuery="x")

    def with_host(self, instances):
        for i in instances:
            i.path.host = "demo.example"
        return instances

    def test_iterators_use_pull(self):
        c = pywbem.WBEMConnection(URL, default_namespace="root/demo", timeout=20, use_pull_operations=True)
        shelf = name("Demo_Shelf", Id="A")
        self.assertEqual(len(list(c.IterEnumerateInstances("Demo_Book", MaxObjectCount=1))), 3)
        self.assertEqual(len(list(c.IterEnumerateInstancePaths("Demo_Element", MaxObjectCount=2))), 6)
        self.assertEqual(len(list(c.IterAssociatorInstances(shelf, MaxObjectCount=1))), 2)
        self.assertEqual(len(list(c.IterAssociatorInstancePaths(shelf, MaxObjectCount=1))), 2)
        self.assertEqual(len(list(c.IterReferenceInstances(shelf, MaxObjectCount=1))), 2)
        self.assertEqual(len(list(c.IterReferenceInstancePaths(shelf, MaxObjectCount=1))), 2)
        query = c.IterQueryInstances("DMTF:CQL", "SELECT * FROM Demo_Book WHERE Isbn > '1'", MaxObjectCount=1)
        self.assertEqual([i["Isbn"] for i in query.generator], ["2", "3"])

    def test_queries(self):
        for language in ("WQL", "DMTF:CQL"):
            found = self.c.ExecQuery(language, "SELECT Isbn, Pages FROM Demo_Item WHERE Isbn > '1' AND Rare = TRUE")
            self.assertEqual(sorted(i["Isbn"] for i in found), ["2", "3"])
            self.assertEqual(found[0].path.classname, "Demo_Book")
        self.fails(15, self.c.ExecQuery, "WQL", "SELECT nothing")
        opened = self.c.OpenQueryInstances("DMTF:CQL", "SELECT Isbn FROM Demo_Book", ReturnQueryResultClass=True,
                                           MaxObjectCount=1)
        self.assertEqual(list(opened.query_result_class.properties), ["Isbn"])
        self.assertEqual(len(self.c.PullInstances(opened.context, MaxObjectCount=9).instances), 2)

    def test_qualifiers_and_classes_are_read_and_not_changed(self):
        key = self.c.GetQualifier("Key")
        self.assertEqual((key.type, key.value, key.overridable), ("boolean", False, False))
        self.assertTrue(key.scopes["PROPERTY"])
        self.assertIn("Values", [q.name for q in self.c.EnumerateQualifiers()])
        self.fails(6, self.c.GetQualifier, "NoQualifier")
        self.fails(7, self.c.SetQualifier, key)
        self.fails(7, self.c.DeleteQualifier, "Key")
        cls = self.c.GetClass("Demo_Atlas")
        self.fails(11, self.c.CreateClass, cls)
        self.fails(7, self.c.ModifyClass, cls)
        self.fails(7, self.c.DeleteClass, "Demo_Atlas")
        self.fails(8, self.c.DeleteClass, "Demo_Item")

    def test_errors_carry_a_cim_error(self):
        with self.assertRaises(CIMError) as raised:
            self.c.GetInstance(name("Demo_Book", Isbn="none"))
        error, = raised.exception.instances
        self.assertEqual((error.classname, error["CIMStatusCode"], error["MessageID"]), ("CIM_Error", 6, "CIM0006"))
        self.assertIn("Isbn=\"none\"", error["Message"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
