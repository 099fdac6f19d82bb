// SPDX-License-Identifier: MIT
#if Consul
import Foundation
import LeaderElection
import NIOCore
import Testing

@testable import LeaderElectionConsul

@Suite struct ListingTests {
    private let names = KeyNames(prefix: "p&q/")
    /// As Consul writes it, which escapes more than it must.
    private let text = #"""
        [{"LockIndex":1,"Key":"p\u0026q/a%2Fb/.lock","Flags":3,"Value":"eyJ9","Session":"s","CreateIndex":5,"ModifyIndex":7},
         { "Key" : "p&q/c/.lock" , "ModifyIndex" : 18446744073709551615 , "Value" : null,
           "Later": [1, {"Key": "x\\\"]"}, -1.5e3, true] },
         {"ModifyIndex":9,"Value":"","Key":"p&q/d/e/.lock"}]
        """#

    private func read(_ text: String) throws -> [(name: String?, index: UInt64, entry: KVEntry)] {
        var found: [(String?, UInt64, KVEntry)] = []
        try KVListing(ByteBuffer(string: text)).forEach { item in
            let entry = try item.entry()
            #expect(try item.key() == entry.key)
            found.append((try item.groupName(names), item.modifyIndex, entry))
        }
        return found
    }

    @Test func entriesAreFoundWithoutBeingDecoded() throws {
        let found = try read(text)
        #expect(found.map(\.name) == ["a%2Fb", "c", nil])
        #expect(found.map(\.index) == [7, .max, 9])
        #expect(found[0].entry.session == "s" && found[0].entry.value == Array("{\"}".utf8).prefix(1) + [0x22, 0x7D])
        let whole = try JSONDecoder().decode([KVEntry].self, from: Data(text.utf8))
        #expect(found.map(\.entry) == whole)
        #expect(KeyNames.group(named: "a%2Fb")?.name == "a/b")
    }

    @Test(
        arguments: [
            #""Value":"AAH/+w==","Flags":18446744073709551615"#, #""Value":"","Session":"""#,
            #""Session":null,"Value":null"#, #""Value":"e\u0079J9","Flags":null,"Session":"\u0061""#,
            #""Session":"\"s\"","Flags": 0 "#, #""Other":null"#,
        ]
    ) func anEntryIsWhatADecoderMakesOfIt(fields: String) throws {
        let text = #"[{"Key":"p","ModifyIndex":7,\#(fields)}]"#
        #expect(try read(text).map(\.entry) == JSONDecoder().decode([KVEntry].self, from: Data(text.utf8)))
    }

    @Test(
        arguments: [
            #""Value":"e""#, #""Value":"a-b=""#, #""Value":7"#, #""Flags":-1"#, #""Flags":"1""#, #""Session":[]"#,
        ]
    ) func anEntryThatADecoderRefusesIsRefused(fields: String) {
        #expect(throws: ElectionError.self) { try read(#"[{"Key":"p","ModifyIndex":7,\#(fields)}]"#) }
    }

    @Test func nothingIsAnEmptyListing() throws {
        for text in ["", "[]", " [ ] "] { #expect(try read(text).isEmpty) }
    }

    @Test func whatIsNoListingIsRefused() throws {
        let odd = [
            "null", "{}", "hello", "[1]", "[{}]", #"[{"Key":"a"}]"#, #"[{"Key":"a","ModifyIndex":-1}]"#,
            #"[{"Key":7,"ModifyIndex":1}]"#, #"[{"Key":"a","ModifyIndex":1}] x"#, #"[{"Key":"a","ModifyIndex":}]"#,
        ]
        for text in odd + [String(repeating: "[", count: 1_000_000)] {
            #expect(throws: ElectionError.self, "\(text.prefix(40))") { try read(text) }
        }
    }

    @Test func aListingThatWasCutOffIsRefused() throws {
        let bytes = Array(text.utf8)
        for count in 1..<bytes.count {
            let cut = String(decoding: bytes.prefix(count), as: UTF8.self)
            #expect(throws: ElectionError.self, "\(count)") { try read(cut) }
        }
    }
}
#endif
