# SPDX-License-Identifier: Apache-2.0
"""A cache as other packages want to see one: a module for each of them, which imports it.

None is imported by `embedcache` itself, so none of these packages has to be installed. Whoever
imports a module here without its package is told its name.
"""
