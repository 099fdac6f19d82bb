// SPDX-License-Identifier: MIT
#if ZooKeeper
import CElectionZooKeeper
import Foundation
import Testing

@testable import LeaderElectionZooKeeper

extension ZooKeeperHandle {
    /// Takes the session over with a second handle, and ends it.
    func killSession(servers: String) throws {
        var identity = try #require(zoo_client_id(pointer)).pointee
        let second = zookeeper_init2(servers, nil, 5000, &identity, nil, ZOO_NO_LOG_CLIENTENV, ZooKeeperCallbacks.log)
        let states = [ZOO_CONNECTED_STATE, ZOO_EXPIRED_SESSION_STATE]
        for _ in 0..<2000 where !states.contains(zoo_state(second)) { usleep(2000) }
        #expect(states.contains(zoo_state(second)))
        zookeeper_close(second)
    }
}
#endif
