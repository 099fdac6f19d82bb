// SPDX-License-Identifier: MIT
#if Consul
internal import NIOCore
internal import NIOPosix

/// One thread for all connections of the process to Consul.
///
/// It is not the cooperative pool: renewals go out while user code keeps that busy.
enum ConsulEventLoop {
    static let group: any EventLoopGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
}
#endif
