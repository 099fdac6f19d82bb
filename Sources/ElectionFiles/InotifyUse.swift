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
        guard let file = fopen(path, "re") else { return nil }
        defer { fclose(file) }
        var buffer = [CChar](repeating: 0, count: 32)
        guard fgets(&buffer, 31, file) != nil else { return nil }
        return Int(String(decoding: buffer.prefix { $0 >= 0x30 && $0 <= 0x39 }.map { UInt8($0) }, as: UTF8.self))
    }

    private static func names(in folder: String) -> [String] {
        guard let directory = opendir(folder) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            names.append(name)
        }
        return names
    }

    private static func link(_ path: String) -> String? {
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = buffer.withUnsafeMutableBytes { bytes in
            bytes.baseAddress.map { readlink(path, $0.assumingMemoryBound(to: CChar.self), bytes.count) } ?? -1
        }
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}

extension FileSystemKind {
    /// What the kind of file system means to elections among processes that share the directory.
    package var finding: StoreFinding {
        switch self {
        case .local(let name): .fine("filesystem", "it is on \(name), whose locks belong to this machine's kernel")
        case .overlay:
            .trouble(
                "filesystem",
                "it is in a container's own layer (overlayfs)",
                why: "other containers see other files there and elect a leader of their own",
                remedy: "put it on a volume that all candidates share"
            )
        case .network(let name):
            .trouble(
                "filesystem",
                "it is on a network file system (\(name))",
                why: "locks can be lost there without notice, so that two may lead, and nothing tells of a release",
                remedy: "put it on a local file system, or take a store with a server"
            )
        }
    }
}
