// SPDX-License-Identifier: MIT
#if Redis
internal import NIOCore
internal import NIOPosix

/// One thread for all Redis connections of the process.
///
/// It is not the cooperative pool: renewals go out while user code keeps that busy.
enum RedisEventLoop {
    static let shared: any EventLoop = MultiThreadedEventLoopGroup(numberOfThreads: 1).next()
}
#endif
