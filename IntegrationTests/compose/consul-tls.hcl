server          = true
bootstrap       = true
client_addr     = "0.0.0.0"
session_ttl_min = "1s"

performance { raft_multiplier = 1 }
limits { http_max_conns_per_client = 5000 }
ports { https = 8501 }

tls {
  defaults {
    ca_file   = "/consul/tls/ca.crt"
    cert_file = "/consul/tls/server.crt"
    key_file  = "/consul/tls/server.key"
  }
  https { verify_incoming = true }
}

acl {
  enabled        = true
  default_policy = "deny"
  tokens {
    initial_management = "00000000-0000-0000-0000-00000000aaaa"
    agent              = "00000000-0000-0000-0000-00000000aaaa"
  }
}
