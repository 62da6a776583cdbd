create database dagster owner salescience;
