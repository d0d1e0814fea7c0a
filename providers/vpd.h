/* Vital product data: where a card tells its serial number. */
#pragma once

#include "host.h"
#include "model.h"
#include "text.h"

/* The value of keyword SN in the read-only part, without blanks at its ends; NULL if @data has none or is no
 * VPD. Pure; @data may be anything.
 * Fact: PCI Local Bus Specification 3.0, appendix I: tags 0x82 (name), 0x90 (VPD-R), 0x91 (VPD-W), 0x78 (end). */
const char *gp_vpd_serial(struct gp_arena *mem, const void *data, size_t size);

/* Appends a VPD that holds @serial and nothing else (NULL: nothing at all), with its checksum. */
void gp_vpd_write(struct gp_text *out, const char *serial);

/* The serial number of the function at @address, NULL if it tells none or may not be read. Reading it takes
 * milliseconds on real cards, so a gp_host reads it once. */
const char *gp_vpd_read_serial(struct gp_host *host, struct gp_arena *mem, struct gp_pci address);
/* Frees what was remembered. */
void gp_vpd_forget(struct gp_host *host);
