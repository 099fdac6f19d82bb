// SPDX-License-Identifier: MIT
#if Consul
#if canImport(FoundationEssentials)
internal import FoundationEssentials
#else
internal import Foundation
#endif

/// A key with its value, as Consul tells of it.
struct KVEntry: Decodable, Hashable, Sendable {
    /// The recipe of Consul's API marks with it what is a lock; others leave such a key alone.
    static var lockFlags: UInt64 { 0x2ddc_cbc0_58a5_0c18 }
    /// Marks a lease that candidates time themselves: the API's recipe then refuses the key instead of taking it.
    static var observedFlags: UInt64 { 0x656c_6563_7469_6f6e }

    var key: String
    var modifyIndex: UInt64
    var flags: UInt64
    var session: String?
    var value: [UInt8]

    private enum CodingKeys: String, CodingKey {
        case key = "Key"
        case modifyIndex = "ModifyIndex"
        case flags = "Flags"
        case session = "Session"
        case value = "Value"
    }

    init(key: String, modifyIndex: UInt64, flags: UInt64, session: String?, value: [UInt8]) {
        self.key = key
        self.modifyIndex = modifyIndex
        self.flags = flags
        self.session = session
        self.value = value
    }

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        key = try fields.decode(String.self, forKey: .key)
        modifyIndex = try fields.decode(UInt64.self, forKey: .modifyIndex)
        flags = try fields.decodeIfPresent(UInt64.self, forKey: .flags) ?? 0
        session = try fields.decodeIfPresent(String.self, forKey: .session).flatMap { $0.isEmpty ? nil : $0 }
        value = try fields.decodeIfPresent(Data.self, forKey: .value).map { Array($0) } ?? []
    }

    /// The fencing token of a grant that this entry is the first state of.
    var term: Int64 { Int64(clamping: modifyIndex) }
}
#endif
