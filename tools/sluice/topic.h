/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SLUICE_TOPIC_H
#define SLUICE_TOPIC_H

#include "cli.h"

int topic_list(struct cli *cli); /* topic_show.c */
int topic_describe(struct cli *cli);
int topic_trim(struct cli *cli); /* topic_trim.c */

#endif
