import LeaderElection
import Testing
