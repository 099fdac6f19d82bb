// SPDX-License-Identifier: MIT

internal import CElectionSystem
package import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// How many watches of files this user may have, and how many of them are in use.
package struct InotifyUse: Hashable, Sendable {
    /// Instances allowed for one user: `fs.inotify.max_user_instances`.
    package var instancesAllowed: Int
    /// Instances in use by this user's processes, as far as this process can see them.
    package var instancesUsed: Int
    /// Watches allowed for one user: `fs.inotify.max_user_watches`.
    package var watchesAllowed: Int

    package init(instancesAllowed: Int, instancesUsed: Int, watchesAllowed: Int) {
        self.instancesAllowed = instancesAllowed
        self.instancesUsed = instancesUsed
        self.watchesAllowed = watchesAllowed
    }

    /// As it is now; nil where there is no inotify.
    package static func now() -> Self? {
        guard let instances = number("/proc/sys/fs/inotify/max_user_instances"),
            let watches = number("/proc/sys/fs/inotify/max_user_watches")
        else { return nil }
        let user = getuid()
        let used = names(in: "/proc").filter { $0.allSatisfy(\.isNumber) }.reduce(0) { count, process in
            var status = stat()
            guard stat("/proc/\(process)", &status) == 0, status.st_uid == user else { return count }
            let folder = "/proc/\(process)/fd"
            return count + names(in: folder).count { link("\(folder)/\($0)") == "anon_inode:inotify" }
        }
        return Self(instancesAllowed: instances, instancesUsed: used, watchesAllowed: watches)
    }

    /// Whether a few more candidates of this user can hear of releases.
    package var finding: StoreFinding {
        let seen =
            "\(instancesUsed) of \(instancesAllowed) inotify instances of this user are in use; "
            + "\(watchesAllowed) watches are allowed"
        guard instancesAllowed - instancesUsed < 10 || watchesAllowed < 100 else { return .fine("inotify", seen) }
        return .trouble(
            "inotify",
            seen,
            why: "each candidate's process takes one and a watch; without them it learns of a release by polling",
            remedy: "raise fs.inotify.max_user_instances and fs.inotify.max_user_watches with sysctl"
        )
    }

    private static func number(_ path: String) -> Int? {
        guard let bytes = try? readFile(path, atMost: 32) else { return nil }
        return Int(String(decoding: bytes.prefix { $0 >= 0x30 && $0 <= 0x39 }, as: UTF8.self))
    }

    /// None where this user may not look.
    private static func names(in folder: String) -> [String] { (try? fileNames(in: folder)) ?? [] }

    private static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
