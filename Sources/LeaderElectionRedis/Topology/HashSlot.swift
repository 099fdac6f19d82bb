// SPDX-License-Identifier: MIT
#if Redis

/// Which of a cluster's slots a key belongs to.
enum HashSlot {
    static var count: Int { 16384 }

    /// CRC-16 of the hash tag, which is what stands in the first braces, if that is anything; otherwise of the whole key.
    static func of(_ key: String) -> Int {
        let bytes = Array(key.utf8)
        var tag = bytes[...]
        if let open = bytes.firstIndex(of: UInt8(ascii: "{")),
            let close = bytes[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        {
            tag = bytes[(open + 1)..<close]
        }
        return Int(crc16(tag)) % count
    }

    /// The polynomial of XMODEM: 0x1021, most significant bit first, starting at zero.
    static func crc16(_ bytes: some Sequence<UInt8>) -> UInt16 {
        bytes.reduce(0) { crc, byte in
            (0..<8).reduce(crc ^ UInt16(byte) << 8) { crc, _ in crc & 0x8000 == 0 ? crc << 1 : crc << 1 ^ 0x1021 }
        }
    }
}
#endif
