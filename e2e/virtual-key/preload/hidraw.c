// Preloaded into a program that talks to security keys through hidapi's hidraw backend, so that it finds virtual keys.
//
// Faked: libudev's enumeration, and open(2), ioctl(2), read(2), close(2) where they concern a virtual key. Everything
// else goes to the system untouched; a virtual key that is open is a real packet socket, on which one packet is one HID
// report, so write(2) and poll(2) need no help.
//
//   VFIDO_SOCKETS=PATH[:PATH...]   one key per socket: /dev/hidraw-virtual0, /dev/hidraw-virtual1, ...
//   VFIDO_DENY=1                   opening a key fails with EACCES, as for a user whom udev gives no permission
//   VFIDO_IDS=VENDOR:PRODUCT:NAME  the USB device (hexadecimal ids); default: a YubiKey

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define DEVICE_NODE "/dev/hidraw-virtual"
#define SYSFS_NODE "/sys/class/hidraw/hidraw-virtual"
#define MAX_KEYS 8
#define MAX_FDS 65536
#define NODE_LEN 64
#define COUNT(array) (sizeof(array) / sizeof(*(array)))

// A FIDO usage page (0xf1d0) with one 64-byte report each way (CTAP 2.1 section 11.2.8.2).
static const unsigned char REPORT_DESCRIPTOR[] = {
    0x06, 0xd0, 0xf1, 0x09, 0x01, 0xa1, 0x01, 0x09, 0x20, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95,
    0x40, 0x81, 0x02, 0x09, 0x21, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x40, 0x91, 0x02, 0xc0,
};

// ---- Which keys are plugged in ------------------------------------------------------------------------------------

// Copies the n-th path of VFIDO_SOCKETS; -1 when there are fewer.
static int socket_path(int n, char *out, size_t len) {
  const char *list = getenv("VFIDO_SOCKETS");
  while (list && *list) {
    size_t item = strcspn(list, ":");
    if (n-- == 0) {
      if (item >= len) return -1;
      memcpy(out, list, item);
      out[item] = 0;
      return 0;
    }
    list += item;
    if (*list) list++;
  }
  return -1;
}

static int is_plugged_in(int n) {
  char path[sizeof((struct sockaddr_un *)0)->sun_path];
  return n >= 0 && n < MAX_KEYS && socket_path(n, path, sizeof path) == 0 && access(path, F_OK) == 0;
}

// The first key from n on that is plugged in; -1 when there is none.
static int next_key(int n) {
  for (; n < MAX_KEYS; n++)
    if (is_plugged_in(n)) return n;
  return -1;
}

struct usb_ids {
  unsigned vendor, product;
  char name[128];
};

static struct usb_ids usb_ids(void) {
  struct usb_ids ids = {0x1050, 0x0407, "Yubico YubiKey OTP+FIDO+CCID"};
  const char *text = getenv("VFIDO_IDS");
  if (text) sscanf(text, "%x:%x:%127[^\n]", &ids.vendor, &ids.product, ids.name);
  return ids;
}

static const char *uevent(void) {
  static char text[512];
  struct usb_ids ids = usb_ids();
  snprintf(text, sizeof text,
           "DRIVER=hid-generic\nHID_ID=0003:%08X:%08X\nHID_NAME=%s\nHID_PHYS=virtual\nHID_UNIQ=\n"
           "MODALIAS=hid:b0003g0001v%08Xp%08X\n",
           ids.vendor, ids.product, ids.name, ids.vendor, ids.product);
  return text;
}

// ---- Files and devices --------------------------------------------------------------------------------------------

static unsigned char opened_here[MAX_FDS];

static int open_key(const char *node) {
  if (getenv("VFIDO_DENY")) {
    errno = EACCES;
    return -1;
  }
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (socket_path(atoi(node + strlen(DEVICE_NODE)), address.sun_path, sizeof address.sun_path)) {
    errno = ENOENT;
    return -1;
  }
  int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno == ECONNREFUSED ? ENODEV : errno;
    close(fd);
    errno = error;
    return -1;
  }
  if (fd < MAX_FDS) opened_here[fd] = 1;
  return fd;
}

// The mark alone may be stale: a daemon that closed its descriptors by close_range(2) reuses the numbers.
static int is_key(int fd) {
  int type = 0;
  socklen_t len = sizeof type;
  return fd >= 0 && fd < MAX_FDS && opened_here[fd] && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
         type == SOCK_SEQPACKET;
}

static int file_with(const void *bytes, size_t len) {
  int fd = memfd_create("virtual-key", MFD_CLOEXEC);
  if (fd >= 0 && (write(fd, bytes, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET) != 0)) {
    close(fd);
    errno = EIO;
    return -1;
  }
  return fd;
}

// Whether the path belongs to a virtual key; if so, *fd is the answer of open(2).
static int open_faked(const char *path, int *fd) {
  if (!path) return 0;
  if (!strncmp(path, DEVICE_NODE, strlen(DEVICE_NODE))) {
    *fd = open_key(path);
    return 1;
  }
  if (strncmp(path, SYSFS_NODE, strlen(SYSFS_NODE))) return 0;
  if (strstr(path, "report_descriptor")) {
    *fd = file_with(REPORT_DESCRIPTOR, sizeof REPORT_DESCRIPTOR);
  } else if (strstr(path, "uevent")) {
    *fd = file_with(uevent(), strlen(uevent()));
  } else {
    errno = ENOENT;
    *fd = -1;
  }
  return 1;
}

#define DEFINE_OPEN(NAME)                                                    \
  int NAME(const char *path, int flags, ...) {                               \
    int fd;                                                                  \
    if (open_faked(path, &fd)) return fd;                                    \
    static int (*real)(const char *, int, ...);                              \
    if (!real) real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #NAME); \
    mode_t mode = 0;                                                         \
    if (flags & (O_CREAT | __O_TMPFILE)) {                                   \
      va_list arguments;                                                     \
      va_start(arguments, flags);                                            \
      mode = va_arg(arguments, mode_t);                                      \
      va_end(arguments);                                                     \
    }                                                                        \
    return real(path, flags, mode);                                          \
  }
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

int ioctl(int fd, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  void *argument = va_arg(arguments, void *);
  va_end(arguments);
  if (is_key(fd)) {
    if (request == HIDIOCGRDESCSIZE) {
      *(int *)argument = sizeof REPORT_DESCRIPTOR;
      return 0;
    }
    if (request == HIDIOCGRDESC) {
      struct hidraw_report_descriptor *descriptor = argument;
      descriptor->size = sizeof REPORT_DESCRIPTOR;
      memcpy(descriptor->value, REPORT_DESCRIPTOR, sizeof REPORT_DESCRIPTOR);
      return 0;
    }
    if (request == HIDIOCGRAWINFO) {
      struct usb_ids ids = usb_ids();
      *(struct hidraw_devinfo *)argument =
          (struct hidraw_devinfo){.bustype = 3, .vendor = (short)ids.vendor, .product = (short)ids.product};
      return 0;
    }
  }
  static int (*real)(int, unsigned long, ...);
  if (!real) real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
  return real(fd, request, argument);
}

// A key that was pulled out is an I/O error on hidraw, where a socket would report its end.
ssize_t read(int fd, void *buffer, size_t len) {
  static ssize_t (*real)(int, void *, size_t);
  if (!real) real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
  ssize_t got = real(fd, buffer, len);
  if (got == 0 && len && is_key(fd)) {
    errno = EIO;
    return -1;
  }
  return got;
}

int close(int fd) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "close");
  if (fd >= 0 && fd < MAX_FDS) opened_here[fd] = 0;
  return real(fd);
}

// ---- libudev ------------------------------------------------------------------------------------------------------

struct udev { int unused; };
struct udev_enumerate { int unused; };
struct udev_list_entry { int key; char name[NODE_LEN]; };
struct udev_device { char sysfs_node[NODE_LEN], device_node[NODE_LEN]; };

static struct udev the_udev;
static struct udev_enumerate the_enumeration;
static struct udev_list_entry entries[MAX_KEYS];
static struct udev_device devices[MAX_KEYS];

static struct udev_list_entry *entry(int key) {
  if (key < 0) return NULL;
  entries[key].key = key;
  snprintf(entries[key].name, NODE_LEN, SYSFS_NODE "%d", key);
  return &entries[key];
}

static struct udev_device *device(int key) {
  if (key < 0 || key >= (int)COUNT(devices)) return NULL;
  snprintf(devices[key].sysfs_node, NODE_LEN, SYSFS_NODE "%d", key);
  snprintf(devices[key].device_node, NODE_LEN, DEVICE_NODE "%d", key);
  return &devices[key];
}

struct udev *udev_new(void) { return &the_udev; }
struct udev *udev_ref(struct udev *udev) { return udev; }
struct udev *udev_unref(struct udev *udev) { (void)udev; return NULL; }

struct udev_enumerate *udev_enumerate_new(struct udev *udev) { (void)udev; return &the_enumeration; }
struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *e) { (void)e; return NULL; }
int udev_enumerate_add_match_subsystem(struct udev_enumerate *e, const char *s) { (void)e; (void)s; return 0; }
int udev_enumerate_scan_devices(struct udev_enumerate *e) { (void)e; return 0; }
struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *e) { (void)e; return entry(next_key(0)); }

struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *e) { return e ? entry(next_key(e->key + 1)) : NULL; }
const char *udev_list_entry_get_name(struct udev_list_entry *e) { return e ? e->name : NULL; }

struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *path) {
  (void)udev;
  return device(atoi(path + strlen(SYSFS_NODE)));
}
// Asked after an open, to name the device; every virtual key has the same name.
struct udev_device *udev_device_new_from_devnum(struct udev *udev, char type, dev_t number) {
  (void)udev; (void)type; (void)number;
  return device(next_key(0));
}
struct udev_device *udev_device_unref(struct udev_device *d) { (void)d; return NULL; }
const char *udev_device_get_syspath(struct udev_device *d) { return d->sysfs_node; }
const char *udev_device_get_devnode(struct udev_device *d) { return d->device_node; }
struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *d, const char *s, const char *t) {
  (void)t;
  return strcmp(s, "hid") ? NULL : d;
}
const char *udev_device_get_sysattr_value(struct udev_device *d, const char *attribute) {
  (void)d;
  return strcmp(attribute, "uevent") ? NULL : uevent();
}
