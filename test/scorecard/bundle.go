package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/operator-framework/api/pkg/operators/v1alpha1"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"
)

// manifestsDir is where the scorecard puts the bundle's manifests.
const manifestsDir = "/bundle/manifests"

// bundleHasNoWildcard reads every right that the bundle asks for or gives.
func bundleHasNoWildcard(context.Context) error {
	files, err := filepath.Glob(filepath.Join(manifestsDir, "*.yaml"))
	if err != nil {
		return err
	}
	seen := 0
	for _, file := range files {
		rights, err := rightsOf(file)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
		seen += len(rights)
		if err := noWildcard(rights); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(file), err)
		}
	}
	if seen == 0 {
		return errors.New("the bundle asks for no rights at all, so this test has read the wrong thing")
	}
	return nil
}

// rightsOf reads the rules of a manifest that has some: a role, or the permissions of the ClusterServiceVersion.
func rightsOf(file string) ([]rbacv1.PolicyRule, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Kind string `json:"kind"`
	}
	if err := yaml.Unmarshal(text, &manifest); err != nil {
		return nil, err
	}
	switch manifest.Kind {
	case "Role", "ClusterRole":
		var role rbacv1.ClusterRole
		err := yaml.Unmarshal(text, &role)
		return role.Rules, err
	case v1alpha1.ClusterServiceVersionKind:
		var csv v1alpha1.ClusterServiceVersion
		if err := yaml.Unmarshal(text, &csv); err != nil {
			return nil, err
		}
		var rules []rbacv1.PolicyRule
		strategy := csv.Spec.InstallStrategy.StrategySpec
		for _, permissions := range [][]v1alpha1.StrategyDeploymentPermissions{strategy.Permissions, strategy.ClusterPermissions} {
			for _, p := range permissions {
				rules = append(rules, p.Rules...)
			}
		}
		return rules, nil
	}
	return nil, nil
}

func noWildcard(rules []rbacv1.PolicyRule) error {
	for _, rule := range rules {
		for _, words := range [][]string{rule.Verbs, rule.APIGroups, rule.Resources, rule.NonResourceURLs} {
			for _, word := range words {
				if word == "*" {
					return fmt.Errorf("a wildcard in %v", rule)
				}
			}
		}
	}
	return nil
}
