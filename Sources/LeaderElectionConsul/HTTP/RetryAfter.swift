// SPDX-License-Identifier: MIT
#if Consul
internal import LeaderElection
internal import NIOHTTP1

/// How long a server that is asked too often wants to be left alone.
enum RetryAfter {
    /// Nobody is left alone for longer: leases would be lost for a number that somebody mistyped.
    static var longest: Duration { .seconds(5) }

    /// The time that an answer asks for, at most ``longest``; nil if it asks for none that can be understood.
    static func pause(_ headers: HTTPHeaders) -> Duration? {
        guard let text = headers.first(name: "Retry-After"), let seconds = seconds(text, headers), seconds > 0 else {
            return nil
        }
        return min(.seconds(seconds), longest)
    }

    private static func seconds(_ text: String, _ headers: HTTPHeaders) -> Int64? {
        if !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) { return Int64(text) ?? .max }
        // A moment is told by the server's clock, so that it is compared with that and not with ours.
        guard let until = date(text), let now = headers.first(name: "Date").flatMap(date) else { return nil }
        return until - now
    }

    /// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form of a date that may be sent.
    static func date(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = number(words[1], 1...31),
            let month = months.firstIndex(where: { words[2] == $0 }), let year = number(words[3], 1970...9999)
        else { return nil }
        let time = words[4].split(separator: ":", omittingEmptySubsequences: false)
        guard time.count == 3, let hour = number(time[0], 0...23), let minute = number(time[1], 0...59),
            let second = number(time[2], 0...60)
        else { return nil }
        // Years that begin in March have their odd day at the end.
        let marchYear = month < 2 ? year - 1 : year
        let dayOfYear = (153 * Int64((month + 10) % 12) + 2) / 5 + day - 1
        let days = marchYear * 365 + marchYear / 4 - marchYear / 100 + marchYear / 400 + dayOfYear - 719_468
        return ((days * 24 + hour) * 60 + minute) * 60 + second
    }

    private static var months: [Substring] {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    }

    private static func number(_ text: Substring, _ range: ClosedRange<Int64>) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(text) else {
            return nil
        }
        return range.contains(number) ? number : nil
    }
}
#endif
