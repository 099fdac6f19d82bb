// SPDX-License-Identifier: MIT

internal import CElectionSystem

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#else
internal import Darwin
#endif

/// Makes a directory and what is missing above it; one that is there already is fine.
package func makeDirectory(_ path: String, mode: UInt32 = 0o770) throws(FileError) {
    do {
        try systemCall("mkdir", path) { mkdir(path, mode_t(mode)) }
    } catch let error where error.code == ENOENT {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex else { throw error }
        try makeDirectory(String(path[..<slash]), mode: mode)
        try systemCall("mkdir", path) { mkdir(path, mode_t(mode)) }
    } catch let error where error.code == EEXIST {
        // Whether it is a directory shows at its first use.
    }
}

/// The names in a directory, in no order; nil if there is no such directory.
///
/// - Throws: `ENOTDIR` if something else stands there, a symbolic link included.
package func fileNames(in directory: String) throws(FileError) -> [String]? {
    let descriptor: Int32
    do {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        descriptor = try systemCall("open", directory) { open(directory, flags) }
    } catch let error where error.code == ENOENT {
        return nil
    }
    guard let stream = fdopendir(descriptor) else {
        let code = errno
        _ = close(descriptor)
        throw FileError("fdopendir", directory, code: code)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// Makes the watchers of the directory above receive ``DirectoryEvent/touched(_:)`` with the name of this one.
package func touchDirectory(_ path: String) throws(FileError) {
    try systemCall("utimensat", path) { utimensat(AT_FDCWD, path, nil, AT_SYMLINK_NOFOLLOW) }
}

/// Throws unless this process may write the file, or make files in the directory.
package func checkWritable(_ path: String) throws(FileError) {
    try systemCall("access", path) { faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) }
}

/// The path from the root, in case the process changes its working directory later.
package func absolutePath(_ path: String) throws(FileError) -> String {
    var path = path
    while path.utf8.count > 1 && path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
    if path.utf8.first == UInt8(ascii: "/") { return path }
    guard let current = getcwd(nil, 0) else { throw FileError("getcwd", path, code: errno) }
    defer { free(current) }
    let base = String(cString: current)
    return base == "/" ? "/" + path : base + "/" + path
}
