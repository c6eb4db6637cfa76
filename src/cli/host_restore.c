/* SPDX-License-Identifier: MIT */
/*
 * host_restore.c -- muster host restore: hands a backup to musterd --restore.
 *
 * musterd alone opens the host's files, and as the user whose they are: so
 * this one opens the backup, as whoever calls it, becomes that user if it is
 * root, and hands over.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/paths.h"
#include "cli/cli.h"
#include "cli/client.h"

#define ANSWER_MAX 4096 /* one object: a path, or an error */
#define EXIT_NO_PROGRAM 127

struct hand {
	char program[FILE_PATH_MAX];
	struct stat folder; /* its owner is who musterd is */
	int backup;         /* standard input of musterd */
	int answer;         /* its standard output */
};

/* PREFIX/bin/muster -> PREFIX/bin/musterd */
static bool
find_musterd(char *out, size_t cap)
{
	ssize_t len = readlink("/proc/self/exe", out, cap - 2);

	if (len <= 0 || (size_t)len == cap - 2)
		return false;
	memcpy(out + len, "d", 2);
	return true;
}

/* The child's; nothing of root's is left. */
static bool
become(const struct stat *owner)
{
	return geteuid() != 0 ||
	    (setgroups(0, NULL) == 0 && setgid(owner->st_gid) == 0 &&
	        setuid(owner->st_uid) == 0);
}

static void
hand_over(const struct cli *c, const struct hand *hand)
{
	char restore[] = "--restore", root[FILE_PATH_MAX + 8],
	     config[FILE_PATH_MAX + 16], program[FILE_PATH_MAX];
	char *args[5] = {program, restore};
	int n = 2;

	(void)snprintf(program, sizeof(program), "%s", hand->program);
	(void)snprintf(root, sizeof(root), "--root=%s",
	    c->root != NULL ? c->root : "");
	(void)snprintf(config, sizeof(config), "--config=%s",
	    c->config != NULL ? c->config : "");
	if (c->root != NULL)
		args[n++] = root;
	if (c->config != NULL)
		args[n++] = config;
	if (dup2(hand->backup, STDIN_FILENO) >= 0 &&
	    dup2(hand->answer, STDOUT_FILENO) >= 0 && become(&hand->folder))
		(void)execv(hand->program, args);
	_exit(EXIT_NO_PROGRAM);
}

/* What musterd says, and how it ended; false: it could not be asked. */
static bool
call(const struct cli *c, struct hand *hand, json_t **answer_out,
    int *status_out)
{
	char text[ANSWER_MAX];
	size_t len = 0;
	ssize_t n = 1;
	int pipes[2];
	pid_t child;

	*answer_out = NULL;
	if (pipe2(pipes, O_CLOEXEC) != 0)
		return false;
	hand->answer = pipes[1];
	child = fork();
	if (child == 0)
		hand_over(c, hand);
	(void)close(pipes[1]);
	while (child > 0 && n != 0 && len < sizeof(text)) {
		n = read(pipes[0], text + len, sizeof(text) - len);
		if (n < 0 && errno != EINTR)
			break;
		len += n > 0 ? (size_t)n : 0;
	}
	(void)close(pipes[0]);
	if (child < 0 || waitpid(child, status_out, 0) != child)
		return false;
	*answer_out = json_loadb(text, len, 0, NULL);
	return true;
}

static int
report(const struct cli *c, const char *path, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));
	const char *why = json_string_value(json_object_get(error, "message"));
	const char *next =
	    json_string_value(json_object_get(error, "next_step"));

	if (code == NULL || why == NULL || next == NULL)
		return cli_errorf(c, CLI_FAILED, "no_answer",
		    "see what it said above; musterd --help",
		    "%s: musterd did not restore it", path);
	return cli_errorf(c, CLI_FAILED, code, next, "%s: %s", path, why);
}

static int
done(const struct cli *c, const char *path, const json_t *answer)
{
	const char *previous =
	    json_string_value(json_object_get(answer, "previous"));

	if (c->is_json)
		return cli_facts("muster.host.restore/1",
		    json_pack("{s:s, s:s?}", "file", path, "previous",
		        previous));
	(void)printf("restored from %s\n", path);
	if (previous != NULL)
		(void)printf("what was there is in %s\n", previous);
	(void)printf("next: systemctl start musterd\n");
	return CLI_DONE;
}

/* Whose folder is it, and is there a musterd here? */
static int
prepare(const struct cli *c, const char *path, struct hand *hand)
{
	char folder[FILE_PATH_MAX];
	struct stat st;
	int err = file_join(c->root, PATH_HOST_STATE, folder, sizeof(folder));

	if (err != 0)
		return cli_fail(c, err, c->root, "choose a shorter --root");
	if (stat(folder, &hand->folder) != 0)
		return cli_errorf(c, CLI_FAILED, "no_folder",
		    "start musterd once, which makes it, and stop it again",
		    "%s: %s", folder, strerror(errno));
	if (!find_musterd(hand->program, sizeof(hand->program)) ||
	    access(hand->program, X_OK) != 0)
		return cli_errorf(c, CLI_FAILED, "not_installed",
		    "install muster-host", "musterd is not on this machine");
	hand->backup = open(path, O_RDONLY | O_CLOEXEC);
	if (hand->backup >= 0 && fstat(hand->backup, &st) == 0 &&
	    S_ISREG(st.st_mode))
		return CLI_DONE;
	return cli_fail(c,
	    hand->backup >= 0     ? MUSTER_E_IO
	        : errno == ENOENT ? MUSTER_E_NOENT
	        : errno == EACCES ? MUSTER_E_DENIED
	                          : MUSTER_E_IO,
	    path, "name a file that `muster host backup` has made");
}

int
cmd_host_restore(struct cli *c, int argc, char **argv)
{
	static const char what[] =
	    "The counts and the inventory become those of the backup; what is "
	    "there now is kept aside.";
	bool is_yes = false;
	const struct cli_option options[] = {{"yes", &is_yes, NULL, NULL},
	    {NULL, NULL, NULL, NULL}};
	struct hand hand = {.backup = -1};
	json_t *answer;
	int exit_code, status = 0;

	if (!cli_parse(c, argc, argv, options, 1, 1, &exit_code))
		return exit_code;
	exit_code = prepare(c, c->arg[0], &hand);
	if (exit_code == CLI_DONE)
		exit_code = client_ask(c, what, is_yes);
	if (exit_code == CLI_DONE && !call(c, &hand, &answer, &status))
		exit_code = cli_fail(c, MUSTER_E_IO, "musterd", NULL);
	else if (exit_code == CLI_DONE) {
		exit_code = WIFEXITED(status) && WEXITSTATUS(status) == 0
		    ? done(c, c->arg[0], answer)
		    : report(c, c->arg[0], answer);
		json_decref(answer);
	}
	if (hand.backup >= 0)
		(void)close(hand.backup);
	return exit_code;
}
