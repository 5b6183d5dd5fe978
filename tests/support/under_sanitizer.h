/* Whether this build carries a sanitizer: exhaustive tests take samples then. */
#ifndef EDB_TESTS_SUPPORT_UNDER_SANITIZER_H
#define EDB_TESTS_SUPPORT_UNDER_SANITIZER_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNDER_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

#endif
