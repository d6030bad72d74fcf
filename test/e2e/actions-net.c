/*
 * Does what the sensor should see of networks, each time in a network namespace of its own.
 *
 *	actions-net all DIRECTORY	datagrams, names, raw and vsock sockets, connections that end
 *	actions-net thirty-two DIRECTORY	what a 32-bit program packs into one call
 *	actions-net race COUNT		addresses that a second thread changes while the call runs; prints what really happened
 *	actions-net neighbour		a datagram that waits for its neighbour
 *	actions-net refused		what a user may not do
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(what) do { if ((long)(what) < 0) { perror(#what); exit(1); } } while (0)

typedef struct sockaddr address;

static struct sockaddr_in at4(const char *host, uint16_t port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };

	inet_pton(AF_INET, host, &a.sin_addr);
	return a;
}

static struct sockaddr_in6 at6(const char *host, uint16_t port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	inet_pton(AF_INET6, host, &a.sin6_addr);
	return a;
}

static void own_network(void)
{
	struct ifreq up = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd;

	MUST(unshare(CLONE_NEWNET));
	MUST(fd = socket(AF_INET, SOCK_DGRAM, 0));
	MUST(ioctl(fd, SIOCSIFFLAGS, &up));
	close(fd);
}

static int bound4(int type, uint16_t port)
{
	struct sockaddr_in a = at4("127.0.0.1", port);
	int fd;

	MUST(fd = socket(AF_INET, type, 0));
	MUST(bind(fd, (address *)&a, sizeof(a)));
	return fd;
}

static uint16_t port_of(int fd)
{
	struct sockaddr_in a;
	socklen_t length = sizeof(a);

	MUST(getsockname(fd, (address *)&a, &length));
	return ntohs(a.sin_port);
}

static void datagrams(void)
{
	struct sockaddr_in first, second = at4("127.0.0.2", 7002);
	struct sockaddr_in6 six = at6("::1", 7003), mapped = at6("::ffff:127.0.0.1", 7004);
	int server = bound4(SOCK_DGRAM, 0), client;

	printf("udp %d\n", port_of(server));
	first = at4("127.0.0.1", port_of(server));
	MUST(client = socket(AF_INET, SOCK_DGRAM, 0));
	for (int i = 0; i < 3; i++)
		MUST(sendto(client, "x", 1, 0, (address *)&first, sizeof(first)));
	struct iovec piece = { "x", 1 };
	struct mmsghdr two[2] = {
		{ .msg_hdr = { .msg_name = &first, .msg_namelen = sizeof(first), .msg_iov = &piece, .msg_iovlen = 1 } },
		{ .msg_hdr = { .msg_name = &second, .msg_namelen = sizeof(second), .msg_iov = &piece, .msg_iovlen = 1 } },
	};
	MUST(sendmmsg(client, two, 2, 0));
	close(client);

	/* Connected, and written to as to a file. */
	MUST(client = socket(AF_INET, SOCK_DGRAM, 0));
	MUST(connect(client, (address *)&first, sizeof(first)));
	MUST(write(client, "x", 1));
	close(client), close(server);

	MUST(client = socket(AF_INET6, SOCK_DGRAM, 0));
	MUST(sendto(client, "x", 1, 0, (address *)&six, sizeof(six)));
	MUST(sendto(client, "x", 1, 0, (address *)&mapped, sizeof(mapped)));
	close(client);
}

static void unix_datagrams(void)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX, .sun_path = "d.sock" }, abstract = { .sun_family = AF_UNIX, .sun_path = "\0hushwatch-datagram" };
	socklen_t length = offsetof(struct sockaddr_un, sun_path) + 1 + strlen("hushwatch-datagram");
	struct iovec piece = { "x", 1 };
	struct msghdr message = { .msg_name = &abstract, .msg_namelen = length, .msg_iov = &piece, .msg_iovlen = 1 };
	int server, other, client;

	MUST(server = socket(AF_UNIX, SOCK_DGRAM, 0));
	MUST(bind(server, (address *)&path, sizeof(path)));
	MUST(other = socket(AF_UNIX, SOCK_DGRAM, 0));
	MUST(bind(other, (address *)&abstract, length));
	MUST(client = socket(AF_UNIX, SOCK_DGRAM, 0));
	for (int i = 0; i < 3; i++)
		MUST(sendto(client, "x", 1, 0, (address *)&path, sizeof(path)));
	MUST(sendmsg(client, &message, 0));
	close(client), close(server), close(other);
}

#define TEXT 1100

/* A name server that knows a long text and one address, for one question. */
static void *name_server(void *given)
{
	static const uint8_t record[16 + 12 + TEXT] = {
		[TEXT + 12] = 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 203, 0, 113, 7,
		[0] = 0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, TEXT >> 8, TEXT & 255,
	};
	struct sockaddr_storage from;
	socklen_t length = sizeof(from);
	int fd = *(int *)given;
	uint8_t message[1472];
	ssize_t got;

	MUST(got = recvfrom(fd, message, sizeof(message) - sizeof(record), 0, (address *)&from, &length));
	message[2] |= 0x80, message[7] = 2;
	memcpy(message + got, record, sizeof(record));
	MUST(sendto(fd, message, (size_t)got + sizeof(record), 0, (address *)&from, length));
	return NULL;
}

static size_t question(uint8_t *message, const char *name, uint8_t type)
{
	size_t at = 12;

	memset(message, 0, 512);
	message[0] = (uint8_t)rand(), message[1] = (uint8_t)rand(), message[2] = 1, message[5] = 1;
	while (*name) {
		size_t length = strcspn(name, ".");

		message[at++] = (uint8_t)length;
		memcpy(message + at, name, length);
		at += length;
		name += length + (name[length] == '.');
	}
	message[at + 2] = type, message[at + 4] = 1;
	return at + 5;
}

/* Multicast DNS, with two names in one question and an answer that nobody asked for; and LLMNR. */
static void ask_everybody(void)
{
	struct sockaddr_in mdns = at4("224.0.0.251", 5353), llmnr = at4("224.0.0.252", 5355);
	struct in_addr here = { htonl(INADDR_LOOPBACK) };
	uint8_t message[512];
	size_t length = question(message, "printer.hushwatch.local", 12);
	int fd;

	MUST(fd = socket(AF_INET, SOCK_DGRAM, 0));
	MUST(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &here, sizeof(here)));
	message[0] = message[1] = 0, message[5] = 2;
	MUST(sendto(fd, message, length, 0, (address *)&mdns, sizeof(mdns)));
	length = question(message, "scanner.hushwatch.local", 1);
	message[0] = message[1] = 0;
	MUST(sendto(fd, message, length, 0, (address *)&mdns, sizeof(mdns)));
	message[2] |= 0x80;
	MUST(sendto(fd, message, length, 0, (address *)&mdns, sizeof(mdns)));
	MUST(sendto(fd, message, question(message, "host", 28), 0, (address *)&llmnr, sizeof(llmnr)));
	close(fd);
}

static void ask(int server, const address *where, socklen_t length, int family, const char *name, uint8_t type)
{
	uint8_t message[1472];
	pthread_t thread;
	int client;

	MUST(client = socket(family, SOCK_DGRAM, 0));
	pthread_create(&thread, NULL, name_server, &server);
	MUST(sendto(client, message, question(message, name, type), 0, where, length));
	MUST(recv(client, message, sizeof(message), 0));
	pthread_join(thread, NULL);
	close(client);
}

static void names(void)
{
	struct sockaddr_in four = at4("127.0.0.1", 53);
	struct sockaddr_in6 six = at6("::1", 53);
	int server = bound4(SOCK_DGRAM, 53), server6, client;

	MUST(server6 = socket(AF_INET6, SOCK_DGRAM, 0));
	MUST(bind(server6, (address *)&six, sizeof(six)));
	ask(server, (address *)&four, sizeof(four), AF_INET, "Www.hushwatch.example", 1);
	ask(server6, (address *)&six, sizeof(six), AF_INET6, "six.hushwatch.example", 28);
	MUST(client = socket(AF_INET, SOCK_DGRAM, 0));
	MUST(connect(client, (address *)&four, sizeof(four)));
	MUST(send(client, "this is no question", 19, 0));
	ask_everybody();
	close(client), close(server), close(server6);
}

static void unusual(void)
{
	struct sockaddr_ll everything = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct sockaddr_vm machine = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 70000 };
	int fd;

	MUST(fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
	close(fd);
	MUST(fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
	MUST(bind(fd, (address *)&everything, sizeof(everything)));
	close(fd);
	MUST(fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));	/* everybody's */
	close(fd);
	MUST(fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
	close(fd);
	MUST(fd = socket(AF_VSOCK, SOCK_STREAM, 0));
	MUST(bind(fd, (address *)&machine, sizeof(machine)));
	MUST(listen(fd, 1));
	close(fd);
	MUST(fd = socket(AF_VSOCK, SOCK_STREAM, 0));
	machine.svm_cid = VMADDR_CID_HOST, machine.svm_port = 70001;
	if (connect(fd, (address *)&machine, sizeof(machine)))
		printf("host %d\n", errno);
	close(fd);
}

static void transfer(int from, int to, size_t bytes)
{
	static char buffer[4096];

	for (size_t left = bytes; left > 0;) {
		ssize_t sent = write(from, buffer, left < sizeof(buffer) ? left : sizeof(buffer));

		MUST(sent);
		left -= (size_t)sent;
		while (sent > 0) {
			ssize_t got = read(to, buffer, sizeof(buffer));

			MUST(got);
			sent -= got;
		}
	}
}

static void connections(void)
{
	struct sockaddr_in a, closed = at4("127.0.0.1", 9);
	int server = bound4(SOCK_STREAM, 0), client, peer;

	MUST(listen(server, 1));
	a = at4("127.0.0.1", port_of(server));
	printf("tcp %d\n", port_of(server));
	MUST(client = socket(AF_INET, SOCK_STREAM, 0));
	MUST(connect(client, (address *)&a, sizeof(a)));
	MUST(peer = accept(server, NULL, NULL));
	printf("client %d\n", port_of(client));
	transfer(client, peer, 100000);
	transfer(peer, client, 500);
	usleep(100000);
	close(client);
	usleep(20000);
	close(peer), close(server);

	MUST(client = socket(AF_INET, SOCK_STREAM, 0));
	if (!connect(client, (address *)&closed, sizeof(closed)) || errno != ECONNREFUSED)
		exit(1);
	close(client);
}

static long call32(long number, long b, long c)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(b), "c"(c) : "memory", "r8", "r9", "r10", "r11");
	return result;
}

/* socketcall: what it packs, and the array, must lie below 4 GiB. */
static void thirty_two(void)
{
	unsigned *low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	struct sockaddr_in *where = (void *)(low + 64), to = at4("127.0.0.1", 7032), own = at4("127.0.0.1", 7033);
	struct sockaddr_un *name = (void *)(low + 128);
	int raw, datagram, unixes;

#define PACKED(which, ...) ({ \
	unsigned packed_[] = { __VA_ARGS__ }; \
	memcpy(low, packed_, sizeof(packed_)); \
	long result_ = call32(102, which, (long)low); \
	MUST(result_); \
	(int)result_; \
})
	raw = PACKED(1, AF_INET, SOCK_RAW, IPPROTO_ICMP);
	datagram = PACKED(1, AF_INET, SOCK_DGRAM, 0);
	*where = own;
	PACKED(2, (unsigned)datagram, (unsigned)(unsigned long)where, sizeof(*where));
	*where = to;
	PACKED(3, (unsigned)datagram, (unsigned)(unsigned long)where, sizeof(*where));
	name->sun_family = AF_UNIX;
	strcpy(name->sun_path, "d32.sock");
	unixes = PACKED(1, AF_UNIX, SOCK_DGRAM, 0);
	PACKED(2, (unsigned)unixes, (unsigned)(unsigned long)name, sizeof(*name));
	PACKED(11, (unsigned)unixes, (unsigned)(unsigned long)(low + 300), 1, 0, (unsigned)(unsigned long)name, sizeof(*name));
	close(raw), close(datagram), close(unixes);
}

/* ---- What a second thread changes ---- */

static struct sockaddr_in shared, own;
static volatile bool over;

#define LOW 7101
#define HIGH 7102

static void *change(void *nothing)
{
	for (uint16_t turn = 0; !over; turn ^= 1) {
		((volatile struct sockaddr_in *)&shared)->sin_port = turn ? htons(HIGH) : htons(LOW);
		((volatile struct sockaddr_in *)&own)->sin_port = turn ? htons(HIGH) : htons(LOW);
		((volatile struct sockaddr_in *)&own)->sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + turn);
	}
	return nothing;
}

/* Which of two servers got the datagram that came from the port. */
static int arrived_at(int low, int high, uint16_t from)
{
	int fds[2] = { low, high };
	struct sockaddr_in a;
	char byte;

	for (int i = 0; i < 2; i++) {
		socklen_t length = sizeof(a);

		if (recvfrom(fds[i], &byte, 1, MSG_DONTWAIT, (address *)&a, &length) == 1 && ntohs(a.sin_port) == from)
			return i ? HIGH : LOW;
	}
	exit(1);
}

/* The port that a SYN from the port was sent to. */
static int sniffed(int sniffer, uint16_t from)
{
	uint8_t packet[256];

	for (;;) {
		const struct tcphdr *tcp = (void *)(packet + 14 + 20);

		MUST(recv(sniffer, packet, sizeof(packet), 0));
		if (packet[14 + 9] == IPPROTO_TCP && tcp->syn && !tcp->ack && ntohs(tcp->source) == from)
			return ntohs(tcp->dest);
	}
}

static void race(int count)
{
	int low = bound4(SOCK_DGRAM, LOW), high = bound4(SOCK_DGRAM, HIGH), sniffer;
	struct sockaddr_in a;
	pthread_t thread;

	MUST(sniffer = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)));
	shared = at4("127.0.0.1", LOW);
	own = at4("127.0.0.2", LOW);
	pthread_create(&thread, NULL, change, NULL);
	for (int i = 0; i < count; i++) {
		socklen_t length = sizeof(a);
		int fd = bound4(SOCK_DGRAM, 0);

		MUST(connect(fd, (address *)&shared, sizeof(shared)));
		MUST(getpeername(fd, (address *)&a, &length));
		printf("connect-%d %d\n", port_of(fd), ntohs(a.sin_port));
		close(fd);

		fd = bound4(SOCK_DGRAM, 0);
		MUST(sendto(fd, "x", 1, 0, (address *)&shared, sizeof(shared)));
		printf("send-%d %d\n", port_of(fd), arrived_at(low, high, port_of(fd)));
		close(fd);

		fd = bound4(SOCK_STREAM, 0);
		if (!connect(fd, (address *)&shared, sizeof(shared)) || errno != ECONNREFUSED)
			exit(1);
		printf("refused-%d %d\n", port_of(fd), sniffed(sniffer, port_of(fd)));
		close(fd);

		MUST(fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		MUST(bind(fd, (address *)&own, sizeof(own)));
		MUST(getsockname(fd, (address *)&a, &length));
		printf("bind-%d %d\n", i, (ntohl(a.sin_addr.s_addr) & 255) << 16 | ntohs(a.sin_port));
		close(fd);
	}
	over = true;
	pthread_join(thread, NULL);
}

/* ---- Two machines ---- */

static void run(const char *command)
{
	if (system(command))
		exit(1);
}

static void neighbour(void)
{
	struct sockaddr_in to = at4("192.0.2.2", 7200);
	char command[128], byte;
	int fd, pipes[2];
	pid_t other;

	MUST(pipe(pipes));
	MUST(other = fork());
	if (!other) {
		MUST(unshare(CLONE_NEWNET));
		MUST(write(pipes[1], "x", 1));
		pause();
		_exit(0);
	}
	MUST(read(pipes[0], &byte, 1));
	snprintf(command, sizeof(command), "ip link add left type veth peer name right netns %d", other);
	run(command);
	run("ip addr add 192.0.2.1/24 dev left && ip link set left up");
	MUST(fd = socket(AF_INET, SOCK_DGRAM, 0));
	snprintf(command, sizeof(command), "nsenter -t %d -n sh -c 'ip link set right up'", other);
	run(command);
	MUST(sendto(fd, "x", 1, 0, (address *)&to, sizeof(to)));
	snprintf(command, sizeof(command), "nsenter -t %d -n sh -c 'ip addr add 192.0.2.2/24 dev right'", other);
	run(command);
	sleep(2);	/* The second request for the neighbour is answered. */
	kill(other, 9);
	waitpid(other, NULL, 0);
}

static void refused(void)
{
	struct sockaddr_in low = at4("127.0.0.1", 80), everybody = at4("255.255.255.255", 7300);
	int fd;

	if (socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)) >= 0 || socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0)
		exit(1);
	MUST(fd = socket(AF_INET, SOCK_STREAM, 0));
	if (!bind(fd, (address *)&low, sizeof(low)))
		exit(1);
	MUST(fd = socket(AF_INET, SOCK_DGRAM, 0));
	if (sendto(fd, "x", 1, 0, (address *)&everybody, sizeof(everybody)) == 1 || errno != EACCES)
		exit(1);
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand((unsigned)getpid());
	if (argc == 3 && !strcmp(argv[1], "all")) {
		MUST(chdir(argv[2]));
		own_network();
		datagrams();
		unix_datagrams();
		names();
		unusual();
		connections();
	} else if (argc == 3 && !strcmp(argv[1], "thirty-two")) {
		MUST(chdir(argv[2]));
		own_network();
		thirty_two();
	} else if (argc == 3 && !strcmp(argv[1], "race")) {
		own_network();
		race(atoi(argv[2]));
	} else if (argc == 2 && !strcmp(argv[1], "neighbour")) {
		own_network();
		neighbour();
	} else if (argc == 2 && !strcmp(argv[1], "refused")) {
		refused();
	} else {
		return 2;
	}
	return 0;
}
