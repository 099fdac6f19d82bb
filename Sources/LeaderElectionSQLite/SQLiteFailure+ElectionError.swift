// SPDX-License-Identifier: MIT
#if SQLite
internal import LeaderElection

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

extension SQLiteFailure {
    /// What the people who run the database need to know.
    func electionError(_ path: String) -> ElectionError {
        let (code, text): (ElectionError.Code, String) =
            switch kind {
            case .busy:
                (
                    .timedOut,
                    "another connection kept the database \(path) locked for the whole time allowed; "
                        + "keep foreign transactions on it short"
                )
            case .full:
                (.storeUnavailable, "no space is left for the database \(path); free some, or raise the quota")
            case .readOnly:
                (.storeRefused, "the database \(path) is read-only; let this user write to it and to its directory")
            case .permission:
                (.storeRefused, "access to the database \(path) is denied; let this user read and write it")
            case .cannotOpen: Self.cannotOpen(path)
            case .notADatabase:
                (.storeCorrupted, "\(path) is not a SQLite database; move it away, or correct the path")
            case .corrupted:
                (
                    .storeCorrupted,
                    "the database \(path) is damaged; stop all candidates, then move it away with its -wal and -shm"
                )
            case .inputOutput:
                (.storeUnavailable, "the disk beneath the database \(path) fails; look into the system's log")
            case .other: (.storeUnavailable, "the database \(path) does not work")
            }
        return ElectionError(code, "\(text) (SQLite \(self.code): \(message))", cause: self)
    }

    private static func cannotOpen(_ path: String) -> (ElectionError.Code, String) {
        if access(path, R_OK | W_OK) != 0, errno != ENOENT {
            return (
                .storeRefused,
                "the database \(path) cannot be opened; let this user write to it and to its directory"
            )
        }
        return (
            .storeUnavailable,
            "the database \(path) cannot be opened; check that it exists and that its directory can be written to"
        )
    }
}
#endif
