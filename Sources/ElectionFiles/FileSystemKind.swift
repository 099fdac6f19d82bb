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

/// How far the locks and events of a file system reach.
package enum FileSystemKind: Hashable, Sendable {
    /// One kernel owns the files: locks exclude and events arrive.
    case local(String)
    /// A container's layered view: it works, but another container sees other files unless the directory is a volume.
    case overlay
    /// Several machines, or a program, may be behind it: locks can be lost silently and events stay away.
    case network(String)

    /// The kind of the file system that a file or directory is on.
    package static func of(_ path: String) throws(FileError) -> FileSystemKind {
        var status = statfs()
        try systemCall("statfs", path) { statfs(path, &status) }
        #if os(Linux)
        return FileSystemKind(magic: UInt32(truncatingIfNeeded: status.f_type))
        #else
        let name = withUnsafeBytes(of: status.f_fstypename) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return status.f_flags & UInt32(MNT_LOCAL) != 0 ? .local(name) : .network(name)
        #endif
    }

    /// What Linux's `statfs(2)` calls `f_type`; numbers from `linux/magic.h` and the file systems' own headers.
    package init(magic: UInt32) {
        if magic == 0x794c_7630 {
            self = .overlay
        } else if let name = Self.networks[magic] {
            self = .network(name)
        } else {
            self = .local(Self.locals[magic] ?? "0x" + String(magic, radix: 16))
        }
    }

    private static let networks: [UInt32: String] = [
        0x0000_6969: "nfs", 0x0000_517b: "smb", 0xff53_4d42: "cifs", 0xfe53_4d42: "smb2", 0x6573_5546: "fuse",
        0x0102_1997: "9p", 0x00c3_6400: "ceph", 0x0bd0_0bd0: "lustre", 0x0116_1970: "gfs2", 0x7461_636f: "ocfs2",
        0x5346_414f: "afs", 0x6b41_4653: "afs", 0x7375_7245: "coda", 0x4750_4653: "gpfs", 0x1983_0326: "beegfs",
        0xaad7_aaea: "panfs", 0x786f_4256: "vboxsf", 0xbacb_acbc: "vmhgfs", 0x6a65_6a63: "virtiofs",
        0x0000_564c: "ncp", 0x2030_528e: "orangefs",
    ]

    private static let locals: [UInt32: String] = [
        0x0000_ef53: "ext4", 0x5846_5342: "xfs", 0x9123_683e: "btrfs", 0x2fc1_2fc1: "zfs", 0x0102_1994: "tmpfs",
        0x8584_58f6: "ramfs", 0xf2f5_2010: "f2fs", 0x3153_464a: "jfs", 0x5265_4973: "reiserfs", 0xca45_1a4e: "bcachefs",
    ]
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

/// What an operator should know of the directory that a store of files is in.
package func examineDirectory(_ path: String) throws(FileError) -> [StoreFinding] {
    let findings = [try FileSystemKind.of(path).finding, InotifyUse.now()?.finding]
    return findings.compactMap(\.self)
}
