// SPDX-License-Identifier: MIT

/// What a state file holds: two slots of equal length, of which the valid one with the larger term counts.
///
/// Each new term is written in place over the other slot, so that a power cut in the middle of it leaves the last term
/// as it was. A slot is a ``StateRecord`` and zeros after it; one that was never used is all zeros.
struct StateSlots: Hashable, Sendable {
    /// What counts.
    let record: StateRecord
    /// A slot is neither valid nor unused: it is just being written, or its writer did not live to finish it.
    let hasDamage: Bool
    /// A slot was never used: nobody has written to the file since it was made.
    let isNew: Bool
    private let newest: Int
    private let length: Int

    /// A block of most disks, which holds every record that is not unusually large.
    private static let minimumLength = 4 * 1024
    /// Larger files are refused unread.
    static let maximumLength = 2 * StateRecord.maximumLength

    /// Reads a whole file.
    ///
    /// - Throws: what is wrong with the first slot, if neither is valid.
    init(parsing bytes: [UInt8]) throws(StateRecord.Malformed) {
        guard bytes.count >= 2 * Self.minimumLength, bytes.count.isMultiple(of: 2) else {
            throw StateRecord.Malformed(description: bytes.isEmpty ? "it is empty" : "it has \(bytes.count) bytes")
        }
        length = bytes.count / 2
        var slots: [(record: StateRecord, index: Int)] = []
        var firstError: StateRecord.Malformed?
        var (hasDamage, isNew) = (false, false)
        for index in 0...1 {
            let slot = bytes[(index * length)..<((index + 1) * length)]
            let end = slot.lastIndex { $0 != 0 }.map { $0 + 1 } ?? slot.startIndex
            do throws(StateRecord.Malformed) {
                slots.append((try StateRecord(parsing: Array(slot[..<end])), index))
            } catch {
                firstError = firstError ?? error
                if end > slot.startIndex { hasDamage = true } else { isNew = true }
            }
        }
        guard let counts = slots.max(by: { $0.record.term < $1.record.term }) else {
            throw firstError ?? StateRecord.Malformed(description: "it is empty")
        }
        (record, newest) = counts
        (self.hasDamage, self.isNew) = (hasDamage, isNew)
    }

    /// A file that has only this record.
    static func newFile(with record: [UInt8]) -> [UInt8] {
        var length = minimumLength
        while length < record.count { length *= 2 }
        return record + [UInt8](repeating: 0, count: 2 * length - record.count)
    }

    /// What to write, and where, so that this record counts from then on; nil if a slot is too short for it.
    func writing(_ record: [UInt8]) -> (bytes: [UInt8], offset: Int)? {
        guard record.count <= length else { return nil }
        return (record + [UInt8](repeating: 0, count: length - record.count), (1 - newest) * length)
    }

    /// Where the digit is that says whether the lease of ``record`` was given back.
    var releasedOffset: Int { newest * length + StateRecord.releasedOffset }
}
