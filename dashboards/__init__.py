"""Grafana dashboards as code, Prometheus rules, and an Alertmanager example."""
