// SPDX-License-Identifier: MIT

internal import ElectionFiles
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension ElectionError {
    /// Says what a refused system call means for an election, and what to do.
    static func file(_ error: FileError, group: ElectionGroup? = nil) -> ElectionError {
        let (code, remedy): (Code, String) =
            switch error.code {
            case EACCES, EPERM:
                (.storeRefused, "give this user read, write and search permission on the directory and its files")
            case EROFS:
                (.storeRefused, "the file system is read-only; remount it or use another directory")
            case ELOOP:
                (.storeRefused, "a symbolic link stands there; remove it, since links are never followed")
            case EINVAL where error.call == "flock" || error.call == "read":
                (.storeRefused, "something other than a plain file stands there; remove it")
            case ESTALE:
                (.storeUnavailable, "the file was replaced meanwhile; find out which program deletes files there")
            case ENOSPC, EDQUOT:
                (.storeUnavailable, "the disk is full; free some space, candidates go on by themselves")
            case EMFILE:
                (.storeUnavailable, "too many open files; raise RLIMIT_NOFILE (ulimit -n) of this process")
            case ENFILE:
                (.storeUnavailable, "too many open files on this machine; raise fs.file-max")
            case ENOENT, ENOTDIR:
                (.storeUnavailable, "the directory is not there; create it, or name another one")
            default:
                (.storeUnavailable, "candidates go on trying")
            }
        return ElectionError(code, "\(error); \(remedy)", group: group?.name, cause: error)
    }

    /// The state file of a group cannot be understood.
    static func corrupted(_ path: String, _ reason: String, group: ElectionGroup) -> ElectionError {
        ElectionError(
            .storeCorrupted,
            "the state file \(path) cannot be understood: \(reason). It is left as it is and nobody is elected. "
                + "Restore it, or remove it: the next term is then the time in milliseconds, which is larger than "
                + "every earlier term unless the machine's clock was set back",
            group: group.name
        )
    }
}
