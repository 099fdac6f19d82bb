// SPDX-License-Identifier: MIT

#if HTTP
/// A status server could not begin to listen: the port is in use, or the address is not one of this machine.
public struct StatusServerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The address as it was given.
    public let address: String
    /// One sentence that names the address, the cause, and the remedy.
    public let description: String
}
#endif
