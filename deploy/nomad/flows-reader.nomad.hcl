# A job whose task starts only when a pin is there, and whose claim on it ends with the allocation.
# The claim has no lease, since nobody would renew it: that of an allocation whose client died stays until somebody
# releases it (pinfold get claims --label runtime=nomad; pinfold release nomad:ALLOCATION).

job "flows-reader" {
  type = "system"

  group "reader" {
    # Before the task, both at once: the claim keeps others from taking away what comes.
    task "claim" {
      driver = "raw_exec"
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
      config {
        command = "/opt/pinfold/bin/pinfold"
        args    = ["claim", "nomad:${NOMAD_ALLOC_ID}", "tc/globals/flows", "--label", "runtime=nomad"]
      }
      resources {
        cpu    = 50
        memory = 96
      }
    }

    task "wait" {
      driver = "raw_exec"
      lifecycle {
        hook    = "prestart"
        sidecar = false
      }
      config {
        command = "/opt/pinfold/bin/pinfold"
        args    = ["wait", "tc/globals/flows", "--for", "exists", "--timeout", "5m"]
      }
      resources {
        cpu    = 50
        memory = 96
      }
    }

    task "reader" {
      driver = "exec"
      config {
        command = "/usr/local/bin/flows-reader"
      }
    }

    # After it, however it ended.
    task "release" {
      driver = "raw_exec"
      lifecycle {
        hook = "poststop"
      }
      config {
        command = "/opt/pinfold/bin/pinfold"
        args    = ["release", "nomad:${NOMAD_ALLOC_ID}"]
      }
      resources {
        cpu    = 50
        memory = 96
      }
    }
  }
}
