# A job whose task starts only when a pin is there, and whose claim on it ends with the allocation: at once where Nomad
# runs the last task, and when its lease is over where the client died, because then nobody renews it.

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
        args    = ["claim", "nomad:${NOMAD_ALLOC_ID}", "tc/globals/flows", "--label", "runtime=nomad", "--lease", "10m"]
      }
      resources {
        cpu    = 50
        memory = 96
      }
    }

    # Beside the task, for as long as it runs.
    task "renew" {
      driver = "raw_exec"
      lifecycle {
        hook    = "prestart"
        sidecar = true
      }
      config {
        command = "/opt/pinfold/bin/pinfold"
        args    = ["claim", "nomad:${NOMAD_ALLOC_ID}", "tc/globals/flows", "--lease", "10m", "--renew"]
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
