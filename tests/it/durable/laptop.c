/* A laptop that slept, or is in another network, as soon as $LAPTOP/slept or $LAPTOP/moved is there. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int is(const char *what) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", getenv("LAPTOP"), what);
  return access(path, F_OK) == 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
  int done = real(clock, now);
  if (clock == CLOCK_REALTIME && is("slept")) now->tv_sec += 3600;
  return done;
}

static struct sockaddr_in elsewhere = {.sin_family = AF_INET, .sin_addr = {0x0708090a}};
static struct ifaddrs other = {.ifa_name = "wlan0", .ifa_flags = IFF_UP | IFF_RUNNING, .ifa_addr = (struct sockaddr *)&elsewhere};

int getifaddrs(struct ifaddrs **all) {
  int (*real)(struct ifaddrs **) = dlsym(RTLD_NEXT, "getifaddrs");
  if (!is("moved")) return real(all);
  *all = &other;
  return 0;
}

void freeifaddrs(struct ifaddrs *all) {
  void (*real)(struct ifaddrs *) = dlsym(RTLD_NEXT, "freeifaddrs");
  if (all != &other) real(all);
}
