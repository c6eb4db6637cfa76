/* SPDX-License-Identifier: MIT */
/*
 * paths.h -- where things live on a machine; --root DIR goes before each.
 */
#ifndef MUSTER_BASE_PATHS_H
#define MUSTER_BASE_PATHS_H

#define PATH_HOST_CONF "/etc/muster/musterd.conf"
#define PATH_MACHINE_ID "/etc/muster/machine-id"
#define PATH_MACHINE_ID_OS "/etc/machine-id"
#define PATH_MACHINE_ID_DBUS "/var/lib/dbus/machine-id"
#define PATH_RESOLV_CONF "/etc/resolv.conf"
#define PATH_HOSTNAME "/etc/hostname"
#define PATH_HOSTS "/etc/hosts"
#define PATH_HOST_STATE "/var/lib/muster/host"
#define PATH_AGENT_STATE "/var/lib/muster/agent"
#define PATH_INSTANCE "/var/lib/muster/agent/instance"
#define PATH_AGENT_CONF "/etc/muster/agent.conf"
#define PATH_AGENT_SOCKET "/run/muster/agent.sock"
#define PATH_CATALOGUES_SHIPPED "/usr/share/muster/catalogues"
#define PATH_CATALOGUES "/var/lib/muster/catalogues"
#define PATH_MIGRATIONS "/usr/share/muster/postgresql"
#define PATH_RUN "/run/muster"
#define PATH_HOST_SOCKET "/run/muster/host.sock"
#define PATH_SOCKET_MAX 107 /* bytes of sun_path without its NUL */

#endif /* MUSTER_BASE_PATHS_H */
