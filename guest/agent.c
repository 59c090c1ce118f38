// SPDX-License-Identifier: GPL-2.0-or-later
/* The agent: answers the frames of the harness. */
#include "agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "command.h"
#include "host.h"
#include "kmsg.h"
#include "program.h"

static int reject(struct channel *channel, uint32_t sequence, const char *reason)
{
	return channel_send(channel, FRAME_REJECTED, sequence, reason, strlen(reason), NULL, 0);
}

static int reject_errno(struct channel *channel, uint32_t sequence, const char *what, int error)
{
	char reason[REASON_SIZE];

	snprintf(reason, sizeof(reason), "%s: %s", what, strerror(-error));
	return reject(channel, sequence, reason);
}

static int say_hello(struct channel *channel)
{
	struct wire_hello hello;
	struct utsname name;
	char versions[sizeof(name.release) + sizeof(name.version)];
	size_t size;

	probe(&hello);
	uname(&name);
	size = (size_t)snprintf(versions, sizeof(versions), "%s", name.release) + 1;
	size += (size_t)snprintf(versions + size, sizeof(versions) - size, "%s", name.version) + 1;
	return channel_send(channel, FRAME_HELLO, 0, &hello, sizeof(hello), versions, size);
}

static int run(struct channel *channel, uint32_t sequence, const uint8_t *payload, size_t size)
{
	struct program *program = (struct program *)&progress.program;
	static struct {
		uint8_t head[sizeof(struct wire_trace)];
		uint8_t results[MAX_RECORDS * sizeof(struct wire_result)];
	} answer;
	struct wire_trace trace;
	char reason[REASON_SIZE];
	const char *log;
	size_t log_size;
	int error;

	if (!program_parse(program, payload, size, reason, sizeof(reason)))
		return reject(channel, sequence, reason);

	error = channel_send(channel, FRAME_EXECUTING, sequence, NULL, 0, NULL, 0);
	if (!error)
		error = channel_flush(channel);
	if (error)
		return error;
	progress.sequence = sequence;
	error = program_supervise(&trace.ending, &trace.signal);
	if (error)
		return reject_errno(channel, sequence, "no process", error);

	trace.records = program->count;
	size = program->count * sizeof(struct wire_result);
	memcpy(answer.head, &trace, sizeof(trace));
	memcpy(answer.results, (const void *)progress.results, size);
	log_size = kmsg_read(&log);
	return channel_send(channel, FRAME_TRACE, sequence, &answer, sizeof(trace) + size, log,
			    log_size);
}

static int exec(struct channel *channel, uint32_t sequence, const uint8_t *payload, size_t size)
{
	struct command_output output;
	struct wire_exec head;
	int error = channel_flush(channel);

	if (error)
		return error;
	if (size < sizeof(head))
		return reject_errno(channel, sequence, "no command", -EINVAL);
	memcpy(&head, payload, sizeof(head));
	program_dismiss();
	host_drop_vm(); /* a command finds the host as it is without us */
	error = command_run(payload + sizeof(head), size - sizeof(head), head.timeout_ms, &output);
	if (error)
		return reject_errno(channel, sequence, "no command", error);
	return channel_send(channel, FRAME_OUTPUT, sequence, &output.status, sizeof(output.status),
			    output.text, output.size);
}

int agent_serve(struct channel *channel)
{
	struct wire_frame head;
	const uint8_t *payload;
	int error = host_init();

	if (error) {
		fprintf(stderr, "gicv5: no memory for guests: %s\n", strerror(-error));
		return 2;
	}
	kmsg_open();

	error = say_hello(channel);
	while (!error) {
		switch (channel_receive(channel, &head, &payload)) {
		case CLOSED:
			channel_flush(channel); /* it may be closed in one direction only */
			return 0;
		case MALFORMED:
			error = reject(channel, head.sequence, channel->reason);
			continue;
		case RECEIVED:
			break;
		}
		switch (head.type) {
		case FRAME_RUN:
			error = run(channel, head.sequence, payload, head.length);
			break;
		case FRAME_EXEC:
			error = exec(channel, head.sequence, payload, head.length);
			break;
		case FRAME_QUIT:
			channel_flush(channel);
			return 0;
		default:
			error = reject(channel, head.sequence, "a frame that no harness sends");
		}
	}
	fprintf(stderr, "gicv5: the channel failed: %s\n", strerror(-error));
	return 3;
}
