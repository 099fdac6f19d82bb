// SPDX-License-Identifier: MIT

import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.curator.framework.CuratorFramework;
import org.apache.curator.framework.CuratorFrameworkFactory;
import org.apache.curator.framework.recipes.leader.LeaderLatch;
import org.apache.curator.framework.recipes.locks.InterProcessMutex;
import org.apache.curator.retry.RetryForever;

/** A candidate of Curator's recipes: says "leading" when it leads, and ends at the end of its input. */
public class CuratorCandidate {
    public static void main(String[] arguments) throws Exception {
        String path = arguments[1];
        String name = arguments[2];
        CuratorFramework client = CuratorFrameworkFactory.newClient(arguments[0], 3000, 3000, new RetryForever(50));
        client.start();
        client.blockUntilConnected();
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        if (arguments[3].equals("latch")) {
            LeaderLatch latch = new LeaderLatch(client, path, name);
            latch.start();
            say("started");
            latch.await();
            say("leading");
            while (input.readLine() != null) {}
            latch.close();
        } else {
            InterProcessMutex mutex = new InterProcessMutex(client, path);
            say("started");
            mutex.acquire();
            say("leading");
            while (input.readLine() != null) {}
            mutex.release();
        }
        say("done");
        client.close();
        System.exit(0);
    }

    private static void say(String word) {
        System.out.println(word);
        System.out.flush();
    }
}
