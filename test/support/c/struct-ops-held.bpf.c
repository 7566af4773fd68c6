/* The same under a name of its own. */
#define CONGESTION pf_held
#include "struct-ops.bpf.c"
