"""Grafana dashboards as code, Prometheus rules, an Alertmanager example."""
