/* How names, addresses and ids look. */
#pragma once

#include "table.h"

extern const struct gp_form gp_form_name;       /* of documents, pools, hosts */
extern const struct gp_form gp_form_host_glob;
extern const struct gp_form gp_form_vm;         /* a libvirt domain, or a glob */
extern const struct gp_form gp_form_vm_plain;   /* no glob */
extern const struct gp_form gp_form_model;      /* a catalogue name: GP-E213 if it is none */
extern const struct gp_form gp_form_text;       /* one line of any text */
extern const struct gp_form gp_form_vendor, gp_form_device;
extern const struct gp_form gp_form_pci;
extern const struct gp_form gp_form_uuid, gp_form_machine_id, gp_form_commit;
extern const struct gp_form gp_form_path;       /* on the host, absolute */
extern const struct gp_form gp_form_tree_path;  /* inside the repository */
extern const struct gp_form gp_form_url;        /* or an absolute path */
extern const struct gp_form gp_form_ref;
extern const struct gp_form gp_form_connect;    /* libvirt URI */
extern const struct gp_form gp_form_unit;       /* systemd unit */
extern const struct gp_form gp_form_rule;
extern const struct gp_form gp_form_timezone;
