// Bugs on purpose, to test the tests: LS_PLANTED(n) is false and costs nothing, but for a library that is built for
// tests alone with LOCKSTEP_PLANTED_BUGS. What each number does wrong is listed in tests/simulation/planted.txt.
#pragma once

#ifdef LOCKSTEP_PLANTED_BUGS
namespace lockstep {
inline int planted_bug = 0;  // the one that is in; set before anything runs
}
#define LS_PLANTED(n) (::lockstep::planted_bug == (n))
#else
#define LS_PLANTED(n) false
#endif
