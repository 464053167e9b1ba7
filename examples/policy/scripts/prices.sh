#!/bin/sh
# Stands for a script of yours.
echo prices
